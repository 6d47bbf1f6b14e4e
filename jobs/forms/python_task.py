"""The fields of a python job: which task, and one for each of its arguments, as its signature says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import CODE, JsonField
from jobs.handlers.python_task import Task, tasks
from jobs.handlers.schemas import expected
from jobs.strict_json import NotStrict, loads

ARGUMENT = "arg_"
SIMPLE: dict[str, type | tuple[type, ...]] = {"integer": int, "number": (int, float), "string": str, "boolean": bool}
# Of a text: longer ones have a box of several lines.
LINE_CHARACTERS = 80


class PythonForm(SubmitForm):
    """What is sent as `kwargs` counts for all arguments: so did the form before it had a field for each."""

    task = forms.ChoiceField(label=_("Task"))
    kwargs = JsonField(rows=6, label=_("Arguments, as JSON"))

    FIELDS = {"task": "task", "kwargs": "kwargs"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = tasks()
        self.choice_field("task").choices = [(one.name, one.name) for one in known]
        by_name = {one.name: one for one in known}
        self.shown = by_name.get(str(self["task"].value())) or next(iter(known), None)
        start = self.starting()
        # as JSON: what was sent so, and arguments that the fields cannot show
        self.by_json = bool(self.data.get("kwargs")) if self.is_bound else start is None
        if self.shown and not self.by_json:
            for name, schema in self.shown.schema["properties"].items():
                required = name in self.shown.schema["required"]
                self.fields[f"{ARGUMENT}{name}"] = argument_field(name, schema, required=required)
                if start and name in start:
                    self.initial[f"{ARGUMENT}{name}"] = as_text(schema, start[name])

    def starting(self) -> dict[str, Any] | None:
        """The arguments to begin with; None where the fields cannot show them."""
        try:
            found = loads(self.initial.get("kwargs") or "{}")
        except NotStrict:
            return None
        properties = self.shown.schema["properties"] if self.shown else {}
        shows = isinstance(found, dict) and all(
            name in properties and fits(properties[name], value) for name, value in found.items()
        )
        return found if shows else None

    def arguments(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(ARGUMENT)]

    def payload(self) -> dict[str, Any]:
        return {"task": self.cleaned_data["task"], "kwargs": self.given()}

    def given(self) -> dict[str, Any]:
        """What is left out has the default of its parameter."""
        if self.by_json or self.shown is None:
            return dict(self.cleaned_data["kwargs"])
        given = {name: self.cleaned_data[f"{ARGUMENT}{name}"] for name in self.shown.schema["properties"]}
        return {name: value for name, value in given.items() if value is not LEFT_OUT}

    def refuse_payload(self, pointer: str, sentence: str) -> None:
        _root, first, *rest = [*pointer.split("/"), ""]
        field = f"{ARGUMENT}{rest[0]}" if first == "kwargs" else ""
        if field in self.fields:
            place = "/".join(rest[1:]).strip("/")
            self.add_error(field, f"{place}: {sentence}" if place else sentence)
        else:
            super().refuse_payload(pointer, sentence)

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        arguments = json.dumps(payload.get("kwargs", {}), indent=2, ensure_ascii=False)
        return {"task": payload.get("task", ""), "kwargs": arguments}

    def shown_task(self) -> "TaskShown | None":
        """The chosen task, or the first."""
        return TaskShown(self.shown) if self.shown else None


class LeftOut:
    """No value: the default of the parameter holds."""


LEFT_OUT = LeftOut()


class ArgumentField(forms.CharField):
    """A value of one argument, read as its schema has it; nothing is left out, or is asked for."""

    def __init__(self, schema: Mapping[str, Any], *, needed: bool, **more: Any) -> None:
        self.schema, self.needed = schema, needed
        super().__init__(required=False, strip=False, **more)

    def clean(self, value: Any) -> Any:
        text = (super().clean(value) or "").replace("\r\n", "\n")
        if self.schema.get("type") == "string":
            return text
        if not text.strip():
            if self.needed:
                raise ValidationError(_("A value is needed."))
            return LEFT_OUT
        try:
            found = loads(text)
        except NotStrict as error:
            if is_text(self.schema):
                return text
            raise ValidationError(
                _("Expected %(what)s, as JSON: %(error)s.") % {"what": expected(self.schema), "error": error}
            ) from error
        return found


class FlagField(forms.BooleanField):
    """Ticked or not: always said."""


def argument_field(name: str, schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    label = name if not required else f"{name} *"
    takes = expected(schema)
    if schema.get("type") == "boolean":
        return FlagField(required=False, label=label, initial=schema.get("default", False))
    initial = as_text(schema, schema["default"]) if "default" in schema else None
    if "enum" in schema:
        choices = [(json.dumps(one, ensure_ascii=False), str(one)) for one in schema["enum"]]
        widget: forms.Widget = forms.Select(choices=choices)
    elif schema.get("type") in ("integer", "number"):
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    elif schema.get("type") == "string":
        widget = forms.Textarea(attrs={"rows": 1 if len(initial or "") <= LINE_CHARACTERS else 4})
    else:
        widget = forms.Textarea(attrs={"rows": 3, **CODE})
    told = f"{takes[:1].upper()}{takes[1:]}."
    if schema.get("writeOnly"):
        # a box, not a password's line: keys have several lines, which that would lose
        widget.attrs["autocomplete"] = "off"
        told += " " + _("Secret: it is not shown again.")
    return ArgumentField(
        schema,
        needed=required,
        label=label,
        initial=initial,
        widget=widget,
        help_text=told,
    )


def is_text(schema: Mapping[str, Any]) -> bool:
    """A text or nothing: it need not stand in quotes."""
    kinds = {one.get("type") for one in schema.get("anyOf", [])}
    return kinds == {"string", "null"}


def as_text(schema: Mapping[str, Any], value: Any) -> Any:
    """A value as its field shows it."""
    if schema.get("type") == "boolean":
        return value
    if schema.get("type") == "string" or (is_text(schema) and isinstance(value, str) and not reads_as_json(value)):
        return value
    return "" if value is None and "anyOf" in schema else json.dumps(value, ensure_ascii=False)


def reads_as_json(text: str) -> bool:
    try:
        loads(text)
    except NotStrict:
        return False
    return True


def fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether its field can show this value."""
    kind = SIMPLE.get(schema.get("type", ""))
    if kind is None:
        return "enum" not in schema or value in schema["enum"]
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


@dataclass(frozen=True, slots=True)
class TaskShown:
    """A task as the form explains it."""

    task: Task

    @property
    def skeleton(self) -> str:
        """Arguments to start from: the defaults, and an empty value where there is none."""
        values = {name: start_value(schema) for name, schema in self.task.schema["properties"].items()}
        return json.dumps(values, indent=2, ensure_ascii=False)


def start_value(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return start_value(schema["anyOf"][0])
    empty = {"integer": 1, "number": 1.0, "string": "", "boolean": False, "array": [], "object": {}}
    return empty.get(schema.get("type", ""))
