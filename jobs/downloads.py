"""A file as an answer: always as a download that no browser runs, whole or in part; and links that need no sign-in."""

import re
import time
from datetime import UTC, datetime
from typing import IO, Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from jobs.errors import ArtefactNotFound
from jobs.files import CHUNK_BYTES, opened
from jobs.handlers.artefact_names import CONTENT_TYPE, UNKNOWN_TYPE
from jobs.models import Artefact
from orgs import walls
from orgs.models import Org
from orgs.roles import LEFT, Action, Role

# One range; several are answered as if none had been asked for, as RFC 9110 14.2 allows.
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
SALT = "smartqueue.artefact"
LONGEST_LINK_SECONDS = 7 * 24 * 3600


class Span(NamedTuple):
    """Some of a file's bytes, first and last."""

    first: int
    last: int


class NoSuchRange(Exception):
    """The file ends before the range begins."""


def download(request: HttpRequest, artefact: Artefact) -> HttpResponseBase:
    """The file to whoever may have it. Raises ArtefactNotFound when its bytes are not kept any more."""
    etag = f'"{artefact.sha256}"'
    if etag in re.split(r"\s*,\s*", request.headers.get("If-None-Match", "").replace("W/", "")):
        return guarded(HttpResponse(status=304), etag)
    if settings.ARTEFACTS_IN_S3:
        return guarded(HttpResponseRedirect(place_in_storage(artefact)), etag)
    try:
        source = opened(artefact)
    except OSError:
        raise ArtefactNotFound("The file is not kept any more.") from None
    try:
        span = asked_span(request, etag, artefact.size_bytes)
    except NoSuchRange:
        source.close()
        refused = HttpResponse(status=416, headers={"Content-Range": f"bytes */{artefact.size_bytes}"})
        return guarded(refused, etag)
    return guarded(partial(artefact, source, span) if span else whole(artefact, source), etag)


def guarded(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    """It never becomes a page of ours, and no cache keeps it for others."""
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def whole(artefact: Artefact, source: IO[bytes]) -> FileResponse:
    headers = {"Accept-Ranges": "bytes"}
    name, kind = artefact.name, content_type(artefact)
    return FileResponse(source, as_attachment=True, filename=name, content_type=kind, headers=headers)


def partial(artefact: Artefact, source: IO[bytes], span: Span) -> StreamingHttpResponse:
    source.seek(span.first)
    size = span.last - span.first + 1
    response = StreamingHttpResponse(Part(source, size), status=206, content_type=content_type(artefact))
    response["Content-Length"] = str(size)
    response["Content-Range"] = f"bytes {span.first}-{span.last}/{artefact.size_bytes}"
    response["Content-Disposition"] = content_disposition_header(True, artefact.name) or "attachment"
    response["Accept-Ranges"] = "bytes"
    return response


class Part:
    """The next `size` bytes of a file, which is closed with the answer."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self.source = source
        self.left = size

    def __iter__(self) -> "Part":
        return self

    def __next__(self) -> bytes:
        piece = self.source.read(min(self.left, CHUNK_BYTES))
        if not piece:
            raise StopIteration
        self.left -= len(piece)
        return piece

    def close(self) -> None:
        self.source.close()


def asked_span(request: HttpRequest, etag: str, size: int) -> Span | None:
    """None for the whole file. Raises NoSuchRange."""
    found = RANGE.fullmatch(request.headers.get("Range", "").strip())
    # another version than this one is wanted whole
    if found is None or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = found.groups()
    if not first:
        if not last:
            return None
        span = Span(max(size - int(last), 0), size - 1)
    else:
        span = Span(int(first), min(int(last), size - 1) if last else size - 1)
    if last and first and int(last) < int(first):
        return None
    if span.first > span.last:
        raise NoSuchRange
    return span


def content_type(artefact: Artefact) -> str:
    return artefact.content_type if CONTENT_TYPE.fullmatch(artefact.content_type) else UNKNOWN_TYPE


def place_in_storage(artefact: Artefact) -> str:
    """Where the storage itself hands it out, for a short while."""
    storage: Any = default_storage
    says = {
        "ResponseContentDisposition": content_disposition_header(True, artefact.name),
        "ResponseContentType": content_type(artefact),
    }
    return str(storage.url(artefact.file.name, parameters=says, expire=settings.ARTEFACT_URL_SECONDS))


# --- links ----------------------------------------------------------------------------------------------------------


class LinkExpired(Exception):
    """It was a link of ours, and its time is over."""


def signed(artefact: Artefact, seconds: int) -> tuple[str, datetime]:
    """The word that a link ends with, which opens this one file of this organisation; and when it stops doing so."""
    until = int(time.time()) + seconds
    return signing.dumps([artefact.org_id, str(artefact.pk), until], salt=SALT), datetime.fromtimestamp(until, UTC)


def linked(word: str) -> Artefact:
    """The file that a link opens. Raises ArtefactNotFound, LinkExpired."""
    try:
        org_id, artefact_id, until = signing.loads(word, salt=SALT, max_age=LONGEST_LINK_SECONDS)
    except signing.SignatureExpired:
        raise LinkExpired from None
    except signing.BadSignature:
        raise ArtefactNotFound from None
    if time.time() >= until:
        raise LinkExpired
    walls.enter(org_id)
    org = Org.objects.filter(pk=org_id).first()
    if org is None or Action.READ not in LEFT[org.state]:
        raise ArtefactNotFound
    # who made the link could see it
    return found(org, Role.ORG_ADMIN, UUID(artefact_id))


def found(org: Org, role: str, artefact_id: UUID) -> Artefact:
    """One of the organisation's files that somebody of this role may take, sent or made. Raises ArtefactNotFound."""
    rows = Artefact.objects.for_org(org).seen_by(role).kept().select_related("created_by")
    artefact = rows.filter(pk=artefact_id).first()
    if artefact is None:
        raise ArtefactNotFound
    return artefact
