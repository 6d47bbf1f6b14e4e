"""A file that a payload names: an artefact of the organisation by its id, or a public address."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jobs.handlers.addresses import Refused, target
from jobs.handlers.base import Context, Input, PermanentFailure
from jobs.handlers.fetching import fetch
from jobs.handlers.schemas import Fault

UUID_WORDS = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SOURCE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "artefact": {"type": "string", "maxLength": 36, "description": "The id of a file of your organisation."},
        "url": {"type": "string", "minLength": 1, "description": "http or https, at a public address."},
    },
    "additionalProperties": False,
    "description": "One of artefact and url.",
}


def source_faults(pointer: str, source: Mapping[str, str], org_settings: Mapping[str, Any]) -> Iterator[Fault]:
    """What the schema cannot say."""
    if len(source) != 1:
        yield pointer, "Give one of artefact and url."
    if "artefact" in source:
        yield from artefact_faults(f"{pointer}/artefact", source["artefact"])
    if "url" in source:
        try:
            target(source["url"], org_settings)
        except Refused as error:
            yield f"{pointer}/url", str(error)


def artefact_faults(pointer: str, artefact_id: str) -> Iterator[Fault]:
    if not UUID_WORDS.fullmatch(artefact_id):
        yield pointer, "This is not an artefact's id, which is a UUID."


def gathered(context: Context, source: Mapping[str, str], name: str, *, max_bytes: int) -> Input:
    """Bring it into the folder. In gather() only. Raises what fetch() and copy_artefact() do."""
    if "url" in source:
        return fetch(context, source["url"], name, max_bytes=max_bytes)
    found = context.copy_artefact(source["artefact"], name)
    if (size := found.path.stat().st_size) > max_bytes:
        raise PermanentFailure(f"{found.name} has {size} bytes; at most {max_bytes} are read.")
    return found
