"""All that an organisation has as one ZIP file, written as it is read: rows from one snapshot, then the files.

The snapshot is held no longer than the rows take. A reader who takes nothing for IDLE_TRANSACTION_SECONDS has it ended
by the server, one who takes longer than ORG_EXPORT_SECONDS by us: then the file breaks off, and has no end that any
program would take for one.
"""

import io
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import psycopg
from django.conf import settings
from django.utils import timezone

from jobs.exports.everything import LEFT_OUT_COLUMNS, Part, parts
from jobs.exports.names import without_names_in
from jobs.exports.reader import ROWS, WIDE_ROWS, snapshot
from jobs.files import CHUNK_BYTES, opened
from jobs.handlers.artefact_names import tidied
from jobs.handlers.tables import PLAIN, in_utc
from jobs.hiding import hide
from jobs.models import Artefact
from jobs.strict_json import written
from orgs.models import Org

# Handed on in pieces of about this much.
PIECE_BYTES = 1 << 17
# The list of files, from the snapshot: more goes to the disk.
LIST_BYTES = 1 << 20
NAMED = 1_000
WHAT = (
    "All that SmartQueue holds of this organisation: of each table its rows, one JSON object a line, as they are; "
    "times are UTC, bytes base64. Fields of payloads that are shown to nobody stand as •••. The files are in "
    "artefacts/, by id and name; their hashes are in artefacts.ndjson."
)


class TooSlow(Exception):
    """The reader did not come to the end in time."""


class Out(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += data
        return len(data)

    def taken(self) -> bytes:
        data, self.data = bytes(self.data), bytearray()
        return data


class File(NamedTuple):
    """A line of the list of files."""

    id: str
    name: str
    file: str
    sha256: str


class Archive:
    """Iterate over pieces() once."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.out = Out()
        self.made_at = timezone.now()
        self.until = time.monotonic() + settings.ORG_EXPORT_SECONDS
        self.tables: dict[str, dict[str, Any]] = {}
        self.files, self.file_bytes = 0, 0
        self.missing: list[str] = []
        self.altered: list[str] = []

    def pieces(self) -> Iterator[bytes]:
        with (
            ZipFile(self.out, "w", ZIP_DEFLATED) as whole,
            SpooledTemporaryFile(LIST_BYTES, "w+", encoding="utf-8") as listed,
        ):
            with snapshot() as (session, at):
                for part in list(parts(session)):
                    yield from self.table(whole, part, session, listed)
            listed.seek(0)
            for line in listed:
                yield from self.file(whole, File(*json.loads(line)))
            whole.writestr(self.entry("README.json", ZIP_DEFLATED), self.readme(at))
        yield self.out.taken()

    def entry(self, name: str, compression: int) -> ZipInfo:
        info = ZipInfo(name, self.made_at.timetuple()[:6])
        info.compress_type = compression
        info.external_attr = 0o600 << 16
        return info

    def table(
        self, whole: ZipFile, part: Part, session: "psycopg.Connection[Any]", listed: "IO[str]"
    ) -> Iterator[bytes]:
        name, digest, rows = f"{part.file}.ndjson", sha256(), 0
        with (
            whole.open(self.entry(name, ZIP_DEFLATED), "w", force_zip64=True) as target,
            psycopg.ServerCursor(session, "org_export") as cursor,
        ):
            cursor.itersize = WIDE_ROWS if part.wide else ROWS
            cursor.execute(part.statement, {"org": self.org.pk})
            for values in without_removed(part, iter(cursor), cursor.itersize):
                if part.file == "artefacts":
                    listed.write(json.dumps([values[name] for name in File._fields]) + "\n")
                line = written(values).encode() + b"\n"
                target.write(line)
                digest.update(line)
                rows += 1
                yield from self.ready()
        self.tables[name] = {"rows": rows, "sha256": digest.hexdigest()}

    def file(self, whole: ZipFile, one: File) -> Iterator[bytes]:
        try:
            source = opened(Artefact(pk=one.id, file=one.file))
        except OSError:
            self.missing.append(one.id)
            return
        digest = sha256()
        name = f"artefacts/{one.id}/{tidied(one.name)}"
        with source, whole.open(self.entry(name, ZIP_STORED), "w", force_zip64=True) as target:
            while piece := source.read(CHUNK_BYTES):
                target.write(piece)
                digest.update(piece)
                self.file_bytes += len(piece)
                yield from self.ready()
        self.files += 1
        if digest.hexdigest() != one.sha256:
            self.altered.append(one.id)

    def ready(self) -> Iterator[bytes]:
        """What is to be handed on by now. Raises TooSlow."""
        if len(self.out.data) >= PIECE_BYTES:
            if time.monotonic() > self.until:
                raise TooSlow
            yield self.out.taken()

    def readme(self, at: datetime) -> str:
        return json.dumps(
            {
                "what": WHAT,
                "organisation": self.org.slug,
                "as_of": in_utc(at),
                "tables": self.tables,
                "artefacts": {
                    "files": self.files,
                    "bytes": self.file_bytes,
                    # in the list and not in the storage, or not as they were put there
                    "missing": self.missing[:NAMED],
                    "altered": self.altered[:NAMED],
                },
                "left_out": {".".join(place): why for place, why in LEFT_OUT_COLUMNS.items()},
            },
            indent=2,
            ensure_ascii=False,
        )


def without_removed(part: Part, rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[dict[str, Any]]:
    """Each row as it is shown, without the names of people who were removed."""
    while batch := list(islice(rows, size)):
        yield from without_names_in(part.file, [shown(part, row) for row in batch])


def shown(part: Part, row: tuple[Any, ...]) -> dict[str, Any]:
    cells = (hide(parsed(cell)) if place in part.json else plain(cell) for place, cell in enumerate(row))
    return dict(zip(part.columns, cells, strict=True))


def parsed(cell: Any) -> Any:
    """Django's sessions give JSON as text."""
    return json.loads(cell) if isinstance(cell, str) else cell


def plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case bytes() | memoryview():
            return b64encode(value).decode()
        case list():
            return [plain(one) for one in value]
    known = PLAIN.get(type(value))
    return known(value) if known else str(value)


def file_name(org: Org) -> str:
    return f"{org.slug}-{timezone.now():%Y%m%dT%H%M%SZ}.zip"
