"""Data read, worked on row by row and written elsewhere: in memory and on disk that are bounded, shut in."""

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Fail, Handler, Input, NotInstalled, PermanentFailure
from jobs.handlers.etl import databases as etl_databases
from jobs.handlers.etl.engine import Engine, opened, warm
from jobs.handlers.etl.needs import needed
from jobs.handlers.etl.payload import SCHEMA, faults_of, sink_format, sources_of
from jobs.handlers.etl.rows import Bad, BadRows
from jobs.handlers.etl.sinks import CONTENT_TYPES, FILE, write
from jobs.handlers.etl.sources import file_name, read
from jobs.handlers.etl.steps import applied
from jobs.handlers.fetching import fetch
from jobs.handlers.schemas import Fault

BY_CONTENT_TYPE = {"text/csv": "csv", "application/json": "json", "application/x-ndjson": "ndjson"}
FORMATS = ("csv", "json", "ndjson")


class EtlHandler(Handler):
    type = "etl"
    title = gettext_noop("ETL")
    description = gettext_noop(
        "Reads rows from a file, the web or a database, filters, joins and sums them up, and writes them."
    )
    schema = SCHEMA
    example = {
        "source": {
            "rows": [
                {"country": "DE", "amount": 12},
                {"country": "FR", "amount": 8},
                {"country": "DE", "amount": 30},
            ]
        },
        "steps": [
            {"filter": "amount > 10"},
            {"group": {"by": ["country"], "aggregates": {"n": {"count": "*"}, "total": {"sum": "amount"}}}},
        ],
        "sink": {"artefact": "totals.csv"},
    }

    def __init__(self) -> None:
        self.memory_max_bytes = settings.ETL_MEMORY_MAX_BYTES

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        return list(faults_of(payload, org_settings))

    def is_confined(self, payload: Mapping[str, Any]) -> bool:
        return True

    def prepare(self) -> None:
        if find_spec("duckdb") is None:
            raise NotInstalled("etl jobs need DuckDB, which `core` images leave out: pip install duckdb")

    def preload(self) -> None:
        if find_spec("duckdb") is not None:
            warm.up()

    def gather(self, context: Context) -> None:
        for number, place, source in sources_of(context.payload):
            context.check_stopped()
            try:
                bring(context, number, source)
            except PermanentFailure as error:
                raise PermanentFailure(f"{place}: {error}") from error

    def run(self, context: Context) -> Answer:
        payload = context.payload
        bad = Bad(context, payload.get("on_bad_row", "fail"))
        try:
            with opened(context) as engine:
                result = worked(payload, engine, bad)
        except BadRows:
            return Fail(f"A row is bad: {bad.sentence()}", error_type="BadRows", result={"bad_rows": bad.told()})
        if "artefact" in payload["sink"]:
            name, format = payload["sink"]["artefact"], sink_format(payload["sink"])
            assert format is not None
            result["artefact"] = context.artefact_file(name, context.path(FILE), CONTENT_TYPES[format])
        result["bad_rows_artefact"] = bad.kept()
        return Done(result)

    def deliver(self, context: Context, answer: Answer) -> Answer:
        sink = context.payload["sink"]
        if isinstance(answer, Done) and "connection" in sink:
            columns = [column["name"] for column in answer.result["columns"]]
            etl_databases.load(context, sink, columns, FILE)
        return answer


def bring(context: Context, number: int, source: Mapping[str, Any]) -> None:
    """A source's file into the folder, under the name by which run() looks for it."""
    if "connection" in source:
        names = etl_databases.extract(context, source, file_name(number, "csv"))
        context.path(file_name(number, "columns")).write_text(json.dumps(names), encoding="utf-8")
    elif "artefact" in source:
        place(context, number, source, context.copy_artefact(source["artefact"], f"input-{number}"))
    elif "url" in source:
        place(context, number, source, fetch(context, source["url"], f"input-{number}"))


def place(context: Context, number: int, source: Mapping[str, Any], found: Input) -> None:
    name = found.name.lower().removesuffix(".gz")
    format = source.get("format") or next((each for each in FORMATS if name.endswith(f".{each}")), None)
    format = format or BY_CONTENT_TYPE.get(found.content_type.partition(";")[0])
    if format is None:
        raise PermanentFailure(f"Say the `format` of {found.name!r:.80}: csv, json or ndjson.")
    shutil.move(found.path, context.path(file_name(number, format)))


def worked(payload: Mapping[str, Any], engine: Engine, bad: Bad) -> dict[str, Any]:
    """Reads, steps and writes; what the result says of it. Raises BadRows, PermanentFailure."""
    steps = payload.get("steps", [])
    parts = len(steps) + 2
    engine.reached(0, parts, "reading")
    # what is kept of a bad row is all of it
    used = needed(steps) if bad.policy != "keep" else None
    relation = read(engine, bad, payload["source"], used=used, ahead=steps[0].get("cast", {}) if steps else {})
    rows_read = engine.value(f"SELECT count(*) FROM ({relation.sql})")  # noqa: S608
    engine.reached(1, parts, f"{rows_read} rows read")
    for number, step in enumerate(steps, 1):
        relation = applied(engine, bad, relation, step, number)
        engine.reached(number + 1, parts, f"step {number} of {len(steps)}: {next(iter(step))}")
    format = sink_format(payload["sink"]) if "artefact" in payload["sink"] else "copy"
    assert format is not None
    rows, size = write(engine, relation, format, formula_safe=payload["sink"].get("formula_safe", True))
    engine.reached(parts, parts, f"{rows} rows written")
    return {
        "rows_read": rows_read,
        "rows_written": rows,
        "bytes_written": size,
        "columns": [{"name": name, "type": column.kind} for name, column in relation.columns.items()],
        "bad_rows": bad.told(),
        "artefact": None,
    }
