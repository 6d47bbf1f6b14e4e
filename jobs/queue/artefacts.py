"""Files that people send for jobs to read: kept, deleted and linked to, each act audited in its transaction."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.downloads import found, signed
from jobs.errors import ArtefactNotFound, ArtefactTooLarge, CutOff, IllegalMove, InvalidArtefact, NoRoom, UnknownJobType
from jobs.files import Source, Stored, TooLarge, forget, store_within
from jobs.handlers import registry
from jobs.handlers.artefact_names import known_type, name_fault
from jobs.models import Artefact
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.new_job import NewJob
from jobs.queue.quotas import check_room
from jobs.references import texts
from orgs import audit, limit_hits
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# In the payload of one job.
MOST_INPUTS = 1_000


def send(
    source: Source,
    *,
    name: str,
    content_type: str | None,
    scope: Scope,
    request: HttpRequest | None = None,
    size_bytes: int | None = None,
    sha256: str | None = None,
) -> Artefact:
    """Keep a file; `size_bytes` and `sha256` are what its sender says it has, where he does.

    Raises InvalidArtefact, ArtefactTooLarge, NoRoom, CutOff; then nothing is kept.
    """
    scope.require(Action.SUBMIT)
    if fault := name_fault(name):
        raise InvalidArtefact([("/name", fault)])
    if size_bytes is not None and size_bytes > settings.ARTEFACT_FILE_MAX_BYTES:
        limit_hits.note(scope.org.pk, ArtefactTooLarge.limit)
        raise ArtefactTooLarge(settings.ARTEFACT_FILE_MAX_BYTES)
    try:
        stored = store_within(scope.org.pk, source)
    except TooLarge:
        raise ArtefactTooLarge(settings.ARTEFACT_FILE_MAX_BYTES) from None
    if size_bytes is not None and stored.size_bytes != size_bytes:
        forget(stored)
        raise CutOff
    if sha256 is not None and stored.sha256 != sha256:
        forget(stored)
        raise InvalidArtefact([("/Content-Digest", f"What came here has the SHA-256 {stored.sha256}.")])
    return kept(stored, name, known_type(content_type), scope, request)


def kept(stored: Stored, name: str, content_type: str, scope: Scope, request: HttpRequest | None) -> Artefact:
    """Its row. Raises NoRoom. Should it fail otherwise, nobody knows whether it was committed: the file is left to the
    sweep."""
    artefact = Artefact(
        id=stored.id,
        org=scope.org,
        name=name,
        content_type=content_type,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        file=stored.name,
        created_by=scope.user,
        expires_at=Now() + timedelta(days=settings.ARTEFACT_SENT_DAYS),
    )
    try:
        with brief():
            check_room(scope.org.pk, stored.size_bytes)
            artefact.save(force_insert=True)
            artefact.refresh_from_db(fields=["expires_at"])
            record("artefact.send", artefact, scope, request, size_bytes=stored.size_bytes, sha256=stored.sha256)
    except NoRoom:
        forget(stored)
        raise
    return artefact


def remove(artefact_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Delete a file that was sent. Raises ArtefactNotFound, IllegalMove for one that goes with its job."""
    scope.require(Action.SUBMIT)
    with brief():
        rows = Artefact.objects.for_org(scope.org).select_for_update(of=("self",))
        artefact = rows.filter(pk=artefact_id).first()
        if artefact is None:
            raise ArtefactNotFound
        if artefact.job_id is not None:
            raise IllegalMove("A job made this file: it goes with its job.")
        name = artefact.file.name or ""
        record("artefact.delete", artefact, scope, request, name=artefact.name)
        artefact.delete()
        transaction.on_commit(lambda: default_storage.delete(name))


def link(artefact_id: UUID, seconds: int, *, scope: Scope, request: HttpRequest | None = None) -> tuple[str, datetime]:
    """A word that opens a file without signing in, and until when. Raises ArtefactNotFound."""
    scope.require(Action.SUBMIT)
    artefact = found(scope.org, scope.role, artefact_id)
    with transaction.atomic():
        word, until = signed(artefact, seconds)
        record("artefact.link", artefact, scope, request, seconds=seconds)
    return word, until


def record(act: str, artefact: Artefact, scope: Scope, request: HttpRequest | None, **detail: object) -> None:
    audit.record(act, org=scope.org, actor=scope.user, target=artefact.pk, request=request, **detail)


def keep_inputs(new: Iterable[NewJob], org: Org) -> None:
    """The files that these jobs name are kept as long from when they are due as others from when they are sent."""
    for one in new:
        if ids := inputs_of(one):
            sql.run(
                "keep_inputs",
                org_id=org.pk,
                ids=ids,
                days=settings.ARTEFACT_SENT_DAYS,
                run_at=one.run_at,
                delay_seconds=one.delay_seconds,
            )


def inputs_of(new: NewJob) -> list[UUID]:
    """What in a payload may be the id of a file; only types that work with files are looked at."""
    try:
        if not registry.get(new.type).works_with_files(new.payload):
            return []
    except UnknownJobType:
        return []
    return sorted({UUID(text) for _, text in texts(new.payload) if ID.fullmatch(text)})[:MOST_INPUTS]
