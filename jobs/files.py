"""The bytes of artefacts: into Django's default storage and out of it, piece by piece."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from django.core.files.base import File
from django.core.files.storage import default_storage

from jobs.ids import uuid7
from jobs.models import Artefact

CHUNK_BYTES = 1 << 20


class TooLarge(ValueError):
    """More bytes than an artefact may have."""


class Stored(NamedTuple):
    """What was stored: its name in the storage, and what it is."""

    name: str
    size_bytes: int
    sha256: str


class Counted(File):  # type: ignore[type-arg]
    """A file that is read once, counted and hashed on the way. Raises TooLarge."""

    def __init__(self, source: IO[bytes], max_bytes: int) -> None:
        super().__init__(source)
        self.max_bytes = max_bytes
        self.count = 0
        self.hash = hashlib.sha256()

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        while piece := self.read(chunk_size or CHUNK_BYTES):
            yield piece

    def read(self, size: int = -1) -> bytes:
        assert self.file is not None
        piece: bytes = self.file.read(size)
        self.count += len(piece)
        if self.count > self.max_bytes:
            raise TooLarge(f"more than {self.max_bytes} bytes")
        self.hash.update(piece)
        return piece


def store(org_id: int, source: IO[bytes], *, max_bytes: int) -> Stored:
    """Keep what the source holds. The name is ours, in a folder of the organisation: what somebody calls a file never
    becomes a path. Raises TooLarge, and then nothing is kept."""
    counted = Counted(source, max_bytes)
    wanted = f"{org_id}/{uuid7().hex}"
    try:
        name = default_storage.save(wanted, counted)
    except BaseException:
        # a storage leaves what it had written when the source broke off
        default_storage.delete(wanted)
        raise
    return Stored(name, counted.count, counted.hash.hexdigest())


def forget(stored: Stored) -> None:
    """For what has no row after all."""
    default_storage.delete(stored.name)


def copy_out(artefact: Artefact, to: Path) -> None:
    """Its bytes as a new file. Raises FileNotFoundError when they are not kept any more."""
    with artefact.file.open("rb") as source, to.open("xb") as target:
        for piece in iter(lambda: source.read(CHUNK_BYTES), b""):
            target.write(piece)


def open_within(folder: Path, name: str) -> IO[bytes]:
    """A plain file directly in the folder, whatever its owner makes of the name. Raises ValueError."""
    if "/" in name or name in {"", ".", ".."} or "\0" in name:
        raise ValueError(f"{name!r:.80} is no file of the attempt's folder")
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ValueError(f"{name!r:.80} cannot be read: {error.strerror}") from None
    # a link to a file elsewhere that its owner may not read himself has another name there
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        os.close(descriptor)
        raise ValueError(f"{name!r:.80} is no plain file")
    return os.fdopen(descriptor, "rb")
