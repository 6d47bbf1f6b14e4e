"""An http job's files: an artefact as the request's body, the response as an artefact."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import IO, Any

from django.conf import settings

from jobs.handlers.artefact_names import NAME, known_type, name_fault
from jobs.handlers.base import Context, Input
from jobs.handlers.exchange import Response
from jobs.handlers.schemas import Fault

ARTEFACT_ID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
PROPERTIES: Mapping[str, Any] = {
    "body_artefact": {
        "type": "string",
        "pattern": ARTEFACT_ID,
        # $ lets a line break follow
        "maxLength": 36,
        "description": "The request's body: a file of the organisation, by its id.",
    },
    "save_as": {
        "type": "string",
        "pattern": f"^({NAME})$",
        "description": "Keep the response's body as an artefact of this name.",
    },
}
BODY, RESPONSE = "body", "response"


def file_faults(payload: Mapping[str, Any]) -> Iterator[Fault]:
    if fault := name_fault(payload.get("save_as", "file")):
        yield "/save_as", fault


def has_files(payload: Mapping[str, Any]) -> bool:
    return "body_artefact" in payload or "save_as" in payload


def given(context: Context) -> Input | None:
    """The file that is sent, in the attempt's folder. Raises PermanentFailure."""
    if "body_artefact" not in context.payload:
        return None
    return context.copy_artefact(context.payload["body_artefact"], BODY)


def receiver(context: Context) -> AbstractContextManager[IO[bytes] | None]:
    """Where the body of each response goes: the last takes the place of the one before."""
    return context.path(RESPONSE).open("wb") if "save_as" in context.payload else nullcontext()


def response_max_bytes(payload: Mapping[str, Any]) -> int:
    return int(settings.ARTEFACT_FILE_MAX_BYTES if "save_as" in payload else settings.HTTP_BODY_MAX_BYTES)


def shown(context: Context, response: Response) -> Response:
    """With as much of its body as a result shows, for a response that was not what the job is about."""
    if "save_as" not in context.payload:
        return response
    with context.path(RESPONSE).open("rb") as file:
        body = file.read(settings.HTTP_BODY_MAX_BYTES + 1)
    limit = settings.HTTP_BODY_MAX_BYTES
    return replace(response, body=body[:limit], truncated=response.truncated or len(body) > limit)


def saved(context: Context, response: Response) -> dict[str, Any]:
    """The artefact that its body has become."""
    name, path = context.payload["save_as"], context.path(RESPONSE)
    content_type, size = known_type(response.header("Content-Type")), path.stat().st_size
    artefact_id = context.artefact_file(name, path, content_type)
    return {"id": artefact_id, "name": name, "content_type": content_type, "size_bytes": size}
