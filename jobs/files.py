"""The bytes of artefacts: into Django's default storage and out of it, piece by piece."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage

from jobs.errors import ArtefactTooLarge, NoRoom
from jobs.ids import uuid7
from jobs.models import Artefact
from jobs.queue.quotas import file_bytes, file_limit
from orgs import limit_hits

CHUNK_BYTES = 1 << 20


class Source(Protocol):
    """Where bytes come from, be it a file or what somebody sends."""

    def read(self, size: int = -1, /) -> bytes: ...


class TooLarge(ValueError):
    """More bytes than an artefact may have."""


class Altered(Exception):
    """The bytes in the storage are not those that were put there."""


class Stored(NamedTuple):
    """What was stored: the id for its row, its name in the storage, and what it is."""

    id: UUID
    name: str
    size_bytes: int
    sha256: str


class Counted(File):  # type: ignore[type-arg]
    """A file that is read once, counted and hashed on the way. Raises TooLarge."""

    def __init__(self, source: Source, max_bytes: int) -> None:
        super().__init__(cast(IO[bytes], source))
        self.max_bytes = max_bytes
        self.count = 0
        self.hash = hashlib.sha256()

    # a storage that may go back reads some bytes twice, and they would count twice
    def seekable(self) -> bool:
        return False

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


def store_within(org_id: int, source: Source) -> Stored:
    """store(), within what one artefact may have and what is left to its organisation. Raises TooLarge, NoRoom.

    Files that come at the same moment do not know of each other: whoever keeps its row asks again (check_room).
    """
    most, used = file_limit(org_id), file_bytes(org_id)
    left = most - used
    if left <= 0:
        limit_hits.note(org_id, NoRoom.quota)
        raise NoRoom(most, used)
    try:
        return store(org_id, source, max_bytes=min(left, settings.ARTEFACT_FILE_MAX_BYTES))
    except TooLarge:
        if left < settings.ARTEFACT_FILE_MAX_BYTES:
            limit_hits.note(org_id, NoRoom.quota)
            raise NoRoom(most, used) from None
        limit_hits.note(org_id, ArtefactTooLarge.limit)
        raise


def store(org_id: int, source: Source, *, max_bytes: int) -> Stored:
    """Keep what the source holds. The name is ours, in a folder of the organisation: what somebody calls a file never
    becomes a path. Raises TooLarge, and then nothing is kept."""
    counted = Counted(source, max_bytes)
    artefact_id = uuid7()
    # by its row's id, so that a sweep sees whether there is one
    wanted = f"{org_id}/{artefact_id.hex}"
    try:
        name = default_storage.save(wanted, counted)
    except BaseException:
        # a storage leaves what it had written when the source broke off
        default_storage.delete(wanted)
        raise
    return Stored(artefact_id, name, counted.count, counted.hash.hexdigest())


def forget(stored: Stored) -> None:
    """For what has no row after all."""
    default_storage.delete(stored.name)


def opened(artefact: Artefact) -> IO[bytes]:
    """Its bytes. Raises FileNotFoundError when they are not kept any more, or when a link stands in their place."""
    name = artefact.file.name or ""
    if settings.ARTEFACTS_IN_S3:
        return cast(IO[bytes], default_storage.open(name, "rb"))
    root = os.path.realpath(settings.MEDIA_ROOT)
    place = os.path.join(root, name)
    if os.path.realpath(place) != place or not place.startswith(f"{root}{os.sep}"):
        raise FileNotFoundError(name)
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(name)
    return os.fdopen(descriptor, "rb")


def copy_out(artefact: Artefact, to: Path) -> None:
    """Its bytes as a new file. Raises FileNotFoundError when they are not kept any more, Altered."""
    digest = hashlib.sha256()
    with opened(artefact) as source, to.open("xb") as target:
        for piece in iter(lambda: source.read(CHUNK_BYTES), b""):
            digest.update(piece)
            target.write(piece)
    if digest.hexdigest() != artefact.sha256:
        to.unlink()
        raise Altered(artefact.pk)


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
