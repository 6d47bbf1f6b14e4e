"""ml: models for tables, trained, evaluated and asked. What reads a tenant's bytes is in a process that is shut in."""

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Fail, Handler, Input, NotInstalled, PermanentFailure
from jobs.handlers.fetching import fetch
from jobs.handlers.ml import schema as ml_schema
from jobs.handlers.schemas import Fault

BY_ENDING = {"csv": "csv", "json": "json", "ndjson": "ndjson", "jsonl": "ndjson"}
BY_CONTENT_TYPE = {"application/json": "json", "application/x-ndjson": "ndjson", "application/jsonl": "ndjson"}


class TooLarge(PermanentFailure):
    """A file that is more than these jobs read."""


class MlHandler(Handler):
    type = "ml"
    title = gettext_noop("Machine learning")
    description = gettext_noop("Trains a model on a table, measures one, or asks one about new rows.")
    schema = ml_schema.SCHEMA
    example = {
        "task": "train",
        "data": {"rows": [{"hours": hours, "passed": "yes" if hours > 5 else "no"} for hours in range(1, 11)]},
        "target": "passed",
        "model": "decision_tree",
        "cross_validation": 5,
    }

    def is_confined(self, payload: Mapping[str, Any]) -> bool:
        return True

    def prepare(self) -> None:
        if find_spec("sklearn") is None:
            raise NotInstalled("ml jobs need scikit-learn: pip install -r requirements-ml.txt")

    def preload(self) -> None:
        if find_spec("sklearn") is None:
            return
        # read by OpenMP when it is loaded; attempts side by side would wait for each other's threads
        os.environ["OMP_NUM_THREADS"] = "1"
        from jobs.handlers.ml import work as ml_work  # noqa: F401

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        return list(ml_schema.refusals(payload, org_settings))

    def gather(self, context: Context) -> None:
        data = context.payload["data"]
        if "rows" not in data:
            limit = settings.ML_INPUT_MAX_BYTES
            if "artefact" in data:
                found = context.copy_artefact(data["artefact"], "data")
            else:
                found = fetch(context, data["url"], "data", max_bytes=limit)
            check_size(found, limit)
            found.path.rename(context.path(f"data.{format_of(data, found)}"))
        if "model_artefact" in context.payload:
            check_size(context.copy_artefact(context.payload["model_artefact"], "model"), settings.ML_MODEL_MAX_BYTES)

    def run(self, context: Context) -> Answer:
        from jobs.handlers.ml import work as ml_work

        try:
            return Done(ml_work.TASKS[context.payload["task"]](context))
        except MemoryError:
            text = f"More memory than {settings.CHILD_MEMORY_MAX_BYTES} bytes: fewer rows, columns or trees are needed."
            return Fail(text, error_type="OutOfMemory")


def check_size(found: Input, limit: int) -> None:
    if (size := found.path.stat().st_size) > limit:
        raise TooLarge(f"{found.name} has {size} bytes; an ml job reads at most {limit}.")


def format_of(data: Mapping[str, Any], found: Input) -> str:
    """As the payload says, else by the file's name, else by what its server or sender called it, else CSV."""
    ending = found.name.rpartition(".")[2].lower()
    by_type = BY_CONTENT_TYPE.get(found.content_type.partition(";")[0].strip(), "csv")
    return str(data.get("format") or BY_ENDING.get(ending) or by_type)
