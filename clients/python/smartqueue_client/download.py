"""A file of a job, onto the disk: followed to where it is kept, compared with its digest, never left by half."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import urllib.request
from pathlib import Path
from typing import IO, Any

from smartqueue_client.connection import Connection
from smartqueue_client.errors import BadDownload, Unreachable
from smartqueue_client.retries import again
from smartqueue_client.types import Artefact

PIECE = 1 << 20
READ_SECONDS = 60.0


def save(connection: Connection, path: str, artefact: Artefact, to: Path, *, within_seconds: float) -> Path:
    """Where it is. Raises ApiError, Unreachable, BadDownload, OSError."""
    target = to / plain(artefact["name"]) if to.is_dir() else to
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        again(lambda: fetch(connection, path, artefact, beside), within_seconds=within_seconds, repeatable=True)
        beside.replace(target)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()
    return target


def plain(name: str) -> str:
    """A name that leads nowhere else, whatever the server says."""
    return Path(name).name or "file"


def fetch(connection: Connection, path: str, artefact: Artefact, target: Path) -> None:
    digest = hashlib.sha256()
    with opened(connection, path) as source, target.open("wb") as file:
        while piece := read(source):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != artefact["sha256"]:
        raise BadDownload(f"{artefact['name']} is not what was stored: its digest is another")


def opened(connection: Connection, path: str) -> Any:
    """Its bytes. Where they are kept elsewhere, that place is asked, without our key."""
    source = connection.open("GET", path, headers={"Accept": "*/*"}, seconds=READ_SECONDS)
    place = source.headers.get("Location") if source.status in (302, 303, 307) else None
    if place is None:
        return source
    source.close()
    if not place.startswith(("https://", "http://")):
        raise BadDownload(f"it is said to be at {place}")
    try:
        return urllib.request.urlopen(place, timeout=READ_SECONDS)  # noqa: S310 http only, as it says above
    except OSError as error:
        raise Unreachable(f"where the file is kept there is no answer: {error}") from error


def read(source: IO[bytes]) -> bytes:
    try:
        return source.read(PIECE)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the file did not come to its end: {error}") from error
