"""An etl job's payload: its schema, and what a schema cannot say."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings

from jobs.handlers.addresses import Refused, target
from jobs.handlers.etl.casts import compiled
from jobs.handlers.etl.expressions import check
from jobs.handlers.etl.language import Misspelt
from jobs.handlers.etl.steps import AGGREGATES, JOINS
from jobs.handlers.etl.types import TYPE_PATTERN
from jobs.handlers.schemas import Fault, token

MAX_STEPS = 50
# These would fetch from elsewhere, or go round in circles.
REFUSED_WORDS = {"$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema", "$anchor", "$dynamicAnchor"}
# As reporting.py wants an artefact's name.
FILE_NAME = r"^[A-Za-z0-9]([A-Za-z0-9 ._()+-]{0,118}[A-Za-z0-9)])?$"
Schema = dict[str, Any]


def an_object(required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def a_list(items: Schema, fewest: int = 1, most: int = 200) -> Schema:
    return {"type": "array", "items": items, "minItems": fewest, "maxItems": most}


def a_map(values: Schema, fewest: int = 1) -> Schema:
    return {"type": "object", "additionalProperties": values, "minProperties": fewest, "maxProperties": 200}


def a_choice(title: str, *shapes: Schema) -> Schema:
    return {"anyOf": list(shapes), "title": title}


NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 200}
EXPRESSION: Schema = {"type": "string", "minLength": 1, "maxLength": 2_000}
TYPES = a_map({"type": "string", "pattern": TYPE_PATTERN, "title": "a type like integer, decimal(12,2) or date"})
SOURCE = an_object(
    [],
    rows=a_list({"type": "object"}, 0, 10_000),
    artefact={"type": "string", "minLength": 1, "maxLength": 40, "description": "Id of a file of the organisation."},
    url={"type": "string", "minLength": 1, "maxLength": 2_048},
    connection=NAME,
    select={"type": "string", "minLength": 1, "maxLength": 8_000},
    format={"enum": ["csv", "json", "ndjson"]},
    delimiter={"enum": [",", ";", "\t", "|"], "default": ","},
    header={"type": "boolean", "default": True},
    columns=a_list(NAME),
    encoding={"enum": ["utf-8", "latin-1"], "default": "utf-8"},
    nulls=a_list({"type": "string", "maxLength": 40}, 0, 20),
    cast=TYPES,
)
STEP = {
    **an_object(
        [],
        select=a_list(NAME),
        rename=a_map(NAME),
        cast=TYPES,
        filter=EXPRESSION,
        derive=a_map(EXPRESSION),
        join=an_object(
            ["with", "on"],
            **{"with": SOURCE},
            on=a_choice("a list of columns, or ours by theirs", a_list(NAME), a_map(NAME)),
            how={"enum": list(JOINS), "default": "inner"},
            columns=a_list(NAME),
            prefix={"type": "string", "maxLength": 40},
        ),
        group=an_object(
            ["by", "aggregates"],
            by=a_list(NAME, 0),
            aggregates=a_map(
                {**an_object([], **dict.fromkeys(AGGREGATES, NAME)), "minProperties": 1, "maxProperties": 1}, 0
            ),
        ),
        sort=a_list(
            a_choice("a column, or by and descending", NAME, an_object(["by"], by=NAME, descending={"type": "boolean"}))
        ),
        dedupe=a_list(NAME, 0),
        limit={"type": "integer", "minimum": 0, "maximum": 10**12},
        validate={"type": "object"},
    ),
    "minProperties": 1,
    "maxProperties": 1,
}
SINK = an_object(
    [],
    artefact={"type": "string", "pattern": FILE_NAME},
    format={"enum": ["csv", "json", "ndjson", "parquet"]},
    formula_safe={
        "type": "boolean",
        "default": True,
        "description": "Keep spreadsheets from taking texts for formulas.",
    },
    connection=NAME,
    table={"type": "string", "minLength": 1, "maxLength": 130},
    mode={"enum": ["append", "replace", "upsert"], "default": "append"},
    key=a_list(NAME),
)
SCHEMA = an_object(
    ["source", "sink"],
    source=SOURCE,
    steps={**a_list(STEP, 0, MAX_STEPS), "default": []},
    sink=SINK,
    on_bad_row={"enum": ["fail", "drop", "keep"], "default": "fail"},
)
KINDS_OF_SOURCE = ("rows", "artefact", "url", "connection")
OF_FILES = ("format", "delimiter", "header", "encoding", "nulls")


def sources_of(payload: Mapping[str, Any]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Number, place in the payload, source: the main one is 0, that of the first step 1."""
    yield 0, "/source", payload["source"]
    for number, step in enumerate(payload.get("steps", []), 1):
        if "join" in step:
            yield number, f"/steps/{number - 1}/join/with", step["join"]["with"]


def faults_of(payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    for _, place, source in sources_of(payload):
        yield from source_faults(place, source, org_settings)
    for index, step in enumerate(payload.get("steps", [])):
        yield from step_faults(f"/steps/{index}", step)
    yield from sink_faults(payload["sink"], org_settings)


def source_faults(place: str, source: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    kinds = [kind for kind in KINDS_OF_SOURCE if kind in source]
    if len(kinds) != 1:
        yield place, f"Expected one of {', '.join(KINDS_OF_SOURCE)}."
        return
    (kind,) = kinds
    if kind == "artefact" and not is_id(source["artefact"]):
        yield f"{place}/artefact", "Expected the id of an artefact."
    if kind == "url":
        try:
            target(source["url"], org_settings)
        except Refused as error:
            yield f"{place}/url", str(error)
    if (kind == "connection") != ("select" in source):
        yield f"{place}/select", "A connection takes a `select`, and nothing else does."
    if kind == "connection":
        yield from connection_faults(place, source["connection"], org_settings, "read")
    if kind in ("rows", "connection"):
        for name in OF_FILES:
            if name in source:
                yield f"{place}/{name}", f"Not with {kind}."
    if len(set(source.get("columns", []))) < len(source.get("columns", [])):
        yield f"{place}/columns", "A name is there twice."


def connection_faults(place: str, name: str, org_settings: Mapping[str, Any], use: str) -> Iterator[Fault]:
    """One that is not there and one of others read alike."""
    allowed = [one for one in org_settings.get("connections") or [] if one in settings.CONNECTIONS]
    if name not in allowed or not dict(settings.CONNECTIONS[name])[use]:
        yield f"{place}/connection", "Your organisation has no such connection for this."


def step_faults(place: str, step: Mapping[str, Any]) -> Iterator[Fault]:
    texts = {f"{place}/filter": step["filter"]} if "filter" in step else {}
    texts |= {f"{place}/derive{token(name)}": text for name, text in step.get("derive", {}).items()}
    for pointer, text in texts.items():
        try:
            check(text)
        except Misspelt as error:
            yield pointer, str(error)
    for name in ("derive", "rename"):
        for new in step.get(name, {}) if name == "derive" else step.get(name, {}).values():
            if not 0 < len(new) <= 200:
                yield f"{place}/{name}", "A name has from 1 to 200 characters."
    if "group" in step and not (step["group"]["by"] or step["group"]["aggregates"]):
        yield f"{place}/group", "Give keys, aggregates, or both."
    for name, aggregate in step.get("group", {}).get("aggregates", {}).items():
        if "*" in aggregate.values() and "count" not in aggregate:
            yield f"{place}/group/aggregates{token(name)}", "Only count takes *."
    if "validate" in step:
        yield from schema_faults(f"{place}/validate", step["validate"])


def schema_faults(place: str, schema: Mapping[str, Any]) -> Iterator[Fault]:
    if found := sorted(REFUSED_WORDS & set(keys_of(schema))):
        yield place, f"{', '.join(found)}: references are not followed."
        return
    try:
        compiled(schema)
    except ValueError as error:
        yield place, f"This is no JSON Schema: {str(error)[:200]}"


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from keys_of(each)


def sink_faults(sink: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    if ("artefact" in sink) == ("connection" in sink):
        yield "/sink", "Expected one of artefact, connection."
        return
    others = ("table", "mode", "key") if "artefact" in sink else ("format", "formula_safe")
    for name in others:
        if name in sink:
            yield f"/sink/{name}", f"Not with {'artefact' if 'artefact' in sink else 'connection'}."
    if "artefact" in sink:
        if sink_format(sink) is None:
            yield "/sink/format", "Say which, or end the artefact's name in .csv, .json, .ndjson or .parquet."
        return
    yield from connection_faults("/sink", sink["connection"], org_settings, "write")
    known = settings.CONNECTIONS.get(sink["connection"], {"write": []})["write"]
    if sink["connection"] in (org_settings.get("connections") or []) and known and sink.get("table") not in known:
        yield "/sink/table", f"Not a table that may be written; there are: {', '.join(known)}."
    if (sink.get("mode") == "upsert") != ("key" in sink):
        yield "/sink/key", "upsert takes the columns of a unique key, and nothing else does."


def sink_format(sink: Mapping[str, Any]) -> str | None:
    if "format" in sink:
        return str(sink["format"])
    found = re.search(r"\.(csv|json|ndjson|parquet)$", sink["artefact"])
    return found and found[1]


def is_id(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
