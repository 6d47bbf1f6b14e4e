"""What the client says of the API is what the API says of itself."""

import inspect
from typing import Any, get_type_hints

import pytest
from smartqueue_client import Client, types

from tests.smartqueue.test_openapi import BY_ID, DOCUMENT, resolved

SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
ANSWERS = [
    name
    for name, kind in vars(types).items()
    if isinstance(kind, type) and name in SCHEMAS and not name.startswith("_")
]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_has_the_fields_that_are_documented(name: str) -> None:
    kind = getattr(types, name)

    assert set(get_type_hints(kind)) == set(SCHEMAS[name]["properties"])


def test_the_types_are_those_of_the_document() -> None:
    assert {"Job", "JobSummary", "DeadLetter", "Attempt", "LogLine", "Artefact", "Queue", "BulkItem"} <= set(ANSWERS)


def test_a_submit_takes_what_a_submit_takes() -> None:
    documented = set(SCHEMAS["NewJobRequest"]["properties"])

    given = set(inspect.signature(Client.submit).parameters) - {"self", "idempotency_key"}

    assert given == documented
    assert set(get_type_hints(types.NewJob)) == set(SCHEMAS["BulkJobRequest"]["properties"])


@pytest.mark.parametrize(("operation", "command"), [("list_jobs", "OF_JOBS"), ("list_dead_letters", "OF_DEAD")])
def test_sq_list_has_an_option_for_every_filter(operation: str, command: str) -> None:
    from smartqueue_client.commands import jobs

    documented = {
        resolved(one)["name"] for one in BY_ID[operation].says["parameters"] if resolved(one)["in"] == "query"
    }

    assert set(getattr(jobs, command)) | set(jobs.SHARED) == documented - {"limit", "cursor"}
