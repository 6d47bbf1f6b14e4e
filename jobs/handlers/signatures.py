"""A task's signature as the JSON Schema of its keyword arguments."""

import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.handlers.base import Context
from jobs.handlers.results import BadResult, json_result
from jobs.handlers.schemas import Validator

SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
WHAT_WORKS = "int, float, str, bool, None, list[X], dict[str, X], Literal, Any, and unions of these"


class BadSignature(TypeError):
    """A function that cannot be a task; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Signature:
    schema: dict[str, Any]
    # The first parameter is a Context: it is given by the worker, not by the caller.
    takes_context: bool
    secret: frozenset[str] = frozenset()


def signature_of(function: Callable[..., Any], secret: frozenset[str] = frozenset()) -> Signature:
    """Raises BadSignature, naming the parameter. `secret`: parameters whose values are not shown (`writeOnly`)."""
    where = f"{function.__module__}.{function.__qualname__}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadSignature(f"Task {where} yields; a task returns its result.")
    try:
        hints = typing.get_type_hints(function)
    except Exception as error:
        raise BadSignature(f"Task {where} has an annotation that cannot be read: {error}") from error
    parameters = list(inspect.signature(function).parameters.values())
    takes_context = bool(parameters) and hints.get(parameters[0].name) is Context
    wanted = parameters[1:] if takes_context else parameters
    properties = {one.name: parameter_schema(one, hints, f"Task {where}, parameter {one.name!r}") for one in wanted}
    if unknown := sorted(secret - properties.keys()):
        raise BadSignature(f"Task {where} calls {unknown[0]!r} secret, and has no such parameter.")
    properties |= {name: {**properties[name], "writeOnly": True} for name in secret}
    required = [one.name for one in wanted if one.default is inspect.Parameter.empty]
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return Signature(schema, takes_context, secret)


def parameter_schema(parameter: inspect.Parameter, hints: dict[str, Any], where: str) -> dict[str, Any]:
    if parameter.kind not in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
        raise BadSignature(f"{where}: a task takes named parameters only, no *args, **kwargs or positional-only ones.")
    if parameter.name not in hints:
        raise BadSignature(f"{where} has no annotation; use {WHAT_WORKS}.")
    schema = annotation_schema(hints[parameter.name], where)
    if parameter.default is inspect.Parameter.empty:
        return schema
    try:
        default = json_result(parameter.default)
    except BadResult as error:
        raise BadSignature(f"{where}: its default {parameter.default!r:.80} is no JSON value.") from error
    if not Validator(schema).is_valid(default):
        raise BadSignature(f"{where}: its default {parameter.default!r:.80} does not fit its annotation.")
    return {**schema, "default": default}


def annotation_schema(annotation: Any, where: str) -> dict[str, Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return {}
    if annotation in SCALARS:
        return {"type": SCALARS[annotation]}
    if annotation is list or origin is list:
        items = {"items": annotation_schema(arguments[0], where)} if arguments else {}
        return {"type": "array", **items}
    if annotation is dict or (origin is dict and arguments[0] is str):
        values = {"additionalProperties": annotation_schema(arguments[1], where)} if arguments else {}
        return {"type": "object", **values}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [annotation_schema(one, where) for one in arguments]}
    if origin is typing.Literal and all(type(one) in (str, int, bool, type(None)) for one in arguments):
        return {"enum": list(arguments)}
    if annotation is Context:
        raise BadSignature(f"{where}: a Context can only be the first parameter.")
    raise BadSignature(f"{where} is annotated {shown(annotation)}, which has no JSON form; use {WHAT_WORKS}.")


def shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
