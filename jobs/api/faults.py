"""What is wrong with a request, field by field: the `errors` of a problem and of a refused item of a bulk call."""

from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework.exceptions import ErrorDetail

from jobs.errors import (
    BatchRefused,
    InvalidAlertRule,
    InvalidArtefact,
    InvalidBulk,
    InvalidClassification,
    InvalidJob,
    InvalidLimit,
    InvalidPause,
    InvalidPayload,
    InvalidSchedule,
    InvalidSubscriber,
    InvalidView,
    QueueError,
    UnknownJobType,
)

Fault = dict[str, str]
MOST_FAULTS = 50
WHOLE = "non_field_errors"


def of_detail(detail: Any, pointer: str = "") -> Iterator[Fault]:
    """The leaves of a DRF ValidationError's detail, each with the JSON pointer of its field."""
    if isinstance(detail, dict):
        for key, inner in detail.items():
            yield from of_detail(inner, pointer if key == WHOLE else f"{pointer}/{escaped(key)}")
    elif isinstance(detail, (list, tuple)):
        for index, inner in enumerate(detail):
            # a list of sentences belongs to the field itself, a list of objects to its items
            yield from of_detail(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}")
    else:
        code = detail.code if isinstance(detail, ErrorDetail) else "invalid"
        yield fault(pointer, str(code), str(detail))


def of_error(error: QueueError, pointer: str = "") -> list[Fault]:
    """The fields that the queue refused, below the pointer of the job they belong to."""
    match error:
        case InvalidPayload():
            return [fault(f"{pointer}/payload{inner}", "invalid", text) for inner, text in error.errors]
        case (
            InvalidJob()
            | InvalidBulk()
            | InvalidClassification()
            | InvalidLimit()
            | InvalidSubscriber()
            | InvalidAlertRule()
            | InvalidArtefact()
            | InvalidPause()
            | InvalidView()
        ):
            return [fault(pointer + inner, "invalid", text) for inner, text in error.errors]
        case UnknownJobType():
            return [fault(f"{pointer}/type", error.code, error.detail)]
        case BatchRefused() | InvalidSchedule():
            return [one for inner, wrong in error.errors for one in of_part(wrong, pointer + inner)]
    return []


def of_part(wrong: str | QueueError, pointer: str) -> list[Fault]:
    if isinstance(wrong, str):
        return [fault(pointer, "invalid", wrong)]
    return of_error(wrong, pointer) or [fault(pointer, wrong.code, wrong.detail)]


def first(faults: Iterable[Fault]) -> list[Fault]:
    """No more than a person would read."""
    return [one for _, one in zip(range(MOST_FAULTS), faults, strict=False)]


def fault(pointer: str, code: str, detail: str) -> Fault:
    return {"pointer": pointer, "code": code, "detail": detail}


def escaped(key: object) -> str:
    """A key as a segment of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")
