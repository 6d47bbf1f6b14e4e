"""data-export: rows of the organisation as a file, out of one snapshot of the database."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Handler, PermanentFailure, registry
from jobs.handlers.datasets import DATASETS, JOB_COLUMNS, MOMENTS, Dataset, Extract, Question, moment
from jobs.handlers.schemas import Fault, token
from jobs.handlers.tables import Csv, Hashed, Json, JsonLines, Table, TooMuch, in_utc, opened
from jobs.search.language import NotUnderstood, parse

STATUSES = ("scheduled", "queued", "running", "done", "failed", "cancelled")
URGENCIES = ("high", "medium", "low")
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
}
CHECK_ROWS = 100
TELL_SECONDS = 0.5
ALL_COLUMNS = sorted({name for one in DATASETS.values() for name in one.columns})
ALL_ORDERS = sorted({word for one in DATASETS.values() for word in one.orders})
ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def text(longest: int, says: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest, "description": says}


def whole(says: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "description": says}


FILTERS: dict[str, dict[str, Any]] = {
    "status": {
        "type": "array",
        "items": {"enum": list(STATUSES)},
        "minItems": 1,
        "maxItems": len(STATUSES),
        "description": "Any of these.",
    },
    "type": text(32, "A job type."),
    "queue": text(40, "A queue's name."),
    "urgency": {"enum": list(URGENCIES)},
    "category": text(40, "One of the organisation's categories."),
    "creator": text(32, "A username."),
    "name": text(64, "Exactly this name."),
    "correlation_id": text(128, "Exactly this id."),
    "error_type": text(128, "Exactly this class of error."),
    "q": text(200, "Words, quoted texts and conditions on payload and result, as in the search box: docs/search.md."),
    "tag": text(40, "Exactly this tag."),
    "worker": text(128, "The name of a worker that made one of its attempts."),
    "fingerprint": text(16, "Errors that say the same, by their fingerprint."),
    "replayed": {"type": "boolean", "description": "Sent back at least once, or never."},
    "attempts_min": whole("Tried so often, or more often."),
    "attempts_max": whole("Tried so often, or less often."),
    "runtime_min_ms": whole("Its last attempt took so long, or longer."),
    "runtime_max_ms": whole("Its last attempt took so long, or less."),
    "finished_after": text(40, "Jobs that ended at this time or later."),
    "finished_before": text(40, "Jobs that ended before this time."),
    "created_after": text(40, "Jobs created at this time or later."),
    "created_before": text(40, "Jobs created before this time."),
    "failed_after": text(40, "Jobs that failed at this time or later."),
    "failed_before": text(40, "Jobs that failed before this time."),
    "batch": text(36, "The jobs of this batch, by its id."),
    "job": text(36, "One job, by its id."),
    "after": text(40, "Rows of this time or later."),
    "before": text(40, "Rows before this time."),
    "actor": text(64, "Who did it."),
    "action": text(64, "What was done, like job.submit."),
}


class DataExportHandler(Handler):
    type = "data-export"
    title = gettext_noop("Data export")
    description = gettext_noop("Writes jobs, their history or other rows of your organisation to a CSV or JSON file.")
    schema = {
        "type": "object",
        "properties": {
            "dataset": {"enum": list(DATASETS), "description": "Which rows."},
            "format": {"enum": list(CONTENT_TYPES), "default": "csv"},
            "gzip": {"type": "boolean", "default": False, "description": "Compress the file."},
            "bom": {"type": "boolean", "default": False, "description": "Begin a CSV file with a byte order mark."},
            "columns": {
                "type": "array",
                "items": {"enum": ALL_COLUMNS},
                "minItems": 1,
                "maxItems": len(JOB_COLUMNS),
                "description": "Which columns, in this order. By default all but the widest.",
            },
            "filter": {"type": "object", "properties": FILTERS, "additionalProperties": False},
            "order": {"enum": ALL_ORDERS, "description": "With a minus the greatest first."},
            "limit": {"type": "integer", "minimum": 1, "description": "The most rows."},
        },
        "required": ["dataset"],
        "additionalProperties": False,
    }
    example = {"dataset": "jobs", "format": "csv", "filter": {"status": ["done", "failed"]}, "order": "-created"}

    def action_needed(self, payload: Mapping[str, Any]) -> str:
        return DATASETS[payload["dataset"]].action

    def works_with_files(self, payload: Mapping[str, Any]) -> bool:
        return True

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        dataset = DATASETS[payload["dataset"]]
        found = [*column_faults(payload, dataset), *filter_faults(payload.get("filter", {}), dataset)]
        known = org_settings.get("categories") or settings.JOB_CATEGORIES
        if payload.get("filter", {}).get("category", known[0]) not in known:
            found.append(("/filter/category", f"One of {', '.join(known)}."))
        if payload.get("order", dataset.orders[0]) not in dataset.orders:
            found.append(("/order", f"One of {', '.join(dataset.orders)}."))
        if payload.get("limit", 1) > settings.EXPORT_MAX_ROWS:
            found.append(("/limit", f"At most {settings.EXPORT_MAX_ROWS}."))
        if payload.get("bom") and payload.get("format", "csv") != "csv":
            found.append(("/bom", "Only for CSV."))
        return found

    def run(self, context: Context) -> Answer:
        payload = context.payload
        asked = question_of(payload)
        kind, gz = payload.get("format", "csv"), payload.get("gzip", False)
        # the names are ours: Artefact.seen_by() knows by them what holds the audit trail
        name = f"{asked.dataset}.{kind}{'.gz' if gz else ''}"
        target = Hashed(context.path(name), settings.ARTEFACT_FILE_MAX_BYTES)
        with context.read(asked) as extract:
            context.on_stop(extract.cancel)
            context.check_stopped()
            try:
                with ExitStack() as stack:
                    stack.callback(target.close)
                    out = opened(stack, target, gz=gz)
                    rows = fill(context, extract, table(payload, out, asked))
            except TooMuch:
                raise PermanentFailure(too_much()) from None
        context.progress(1.0, f"{rows} rows; keeping the file")
        kept = context.artefact_file(name, context.path(name), "application/gzip" if gz else CONTENT_TYPES[kind])
        return Done(
            {
                "rows": rows,
                "truncated": extract.truncated,
                "bytes": target.count,
                "sha256": target.hash.hexdigest(),
                "artefact": kept,
                "columns": list(asked.columns),
                "snapshot_at": in_utc(extract.snapshot_at),
            }
        )


def too_much() -> str:
    return (
        f"The file would have more than {settings.ARTEFACT_FILE_MAX_BYTES} bytes. Narrow the filter, choose fewer "
        "columns, or have it compressed."
    )


def table(payload: Mapping[str, Any], out: Any, asked: Question) -> Table:
    match payload.get("format", "csv"):
        case "csv":
            json = DATASETS[asked.dataset].json
            return Csv(out, asked.columns, json, bom=payload.get("bom", False))
        case "json":
            return Json(out, asked.columns)
        case _:
            return JsonLines(out, asked.columns)


def fill(context: Context, extract: Extract, into: Table) -> int:
    """Write all rows, telling how far it is; returns how many there were."""
    count, tell_at = 0, 0.0
    for count, values in enumerate(extract.rows(), 1):
        into.row(values)
        if count % CHECK_ROWS == 0:
            context.check_stopped()
            if time.monotonic() > tell_at:
                tell_at = time.monotonic() + TELL_SECONDS
                context.progress(count / max(extract.total, 1), f"{count} of {extract.total} rows")
    into.end()
    return count


def question_of(payload: Mapping[str, Any]) -> Question:
    """Of a payload that was checked."""
    dataset = DATASETS[payload["dataset"]]
    given = payload.get("filter", {})
    return Question(
        payload["dataset"],
        tuple(payload.get("columns", dataset.usual)),
        {name: moment(value) if name in MOMENTS else value for name, value in given.items()},
        payload.get("order", dataset.orders[0]),
        payload.get("limit", settings.EXPORT_MAX_ROWS),
    )


def column_faults(payload: Mapping[str, Any], dataset: Dataset) -> Iterator[Fault]:
    seen: set[str] = set()
    for place, name in enumerate(payload.get("columns", ())):
        if name not in dataset.columns:
            yield f"/columns/{place}", f"There is no such column; there are: {', '.join(dataset.columns)}."
        elif name in seen:
            yield f"/columns/{place}", "This column is there already."
        seen.add(name)


def filter_faults(given: Mapping[str, Any], dataset: Dataset) -> Iterator[Fault]:
    for name, value in given.items():
        place = f"/filter{token(name)}"
        if name not in dataset.filters:
            yield place, f"There is no such filter here; there are: {', '.join(dataset.filters)}."
        elif isinstance(value, str) and "\0" in value:
            yield place, "May not hold a NUL character."
        elif (check := CHECKS.get(name)) and (fault := check(value)):
            yield place, fault


def type_fault(value: str) -> str:
    known = registry.types()
    return "" if value in known else f"There is no such job type; there are: {', '.join(registry.types())}."


def search_fault(value: str) -> str:
    try:
        parse(value)
    except NotUnderstood as error:
        return str(error)
    return ""


def id_fault(value: str) -> str:
    return "" if ID.fullmatch(value) else "An id, like 01900000-0000-7000-8000-000000000000."


def moment_fault(value: str) -> str:
    try:
        moment(value)
    except ValueError:
        return "A time with an offset, like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00."
    return ""


CHECKS: Mapping[str, Callable[[Any], str]] = {
    "type": type_fault,
    "batch": id_fault,
    "job": id_fault,
    "q": search_fault,
    **dict.fromkeys(MOMENTS, moment_fault),
}
