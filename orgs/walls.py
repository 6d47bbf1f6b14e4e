"""The second wall: what a web request asks, PostgreSQL answers from the rows of its organisation alone.

The first wall is that every question names the organisation (orgs.scope). Here a question that forgets to do so finds
nothing, and a row for another organisation is refused (SQLSTATE 42501): while a request is answered, each statement is
preceded, in the same round trip and the same transaction, by who asks: the role of the web and the organisation.
Nothing is said for longer than a transaction, so the next request of a reused session knows nothing of it. Code that
must look over organisations says why, by a member of Across. docs/decisions/0016-row-security.md.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache, lru_cache
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from psycopg.pq import TransactionStatus

from orgs.row_security import NotWalled

log = logging.getLogger(__name__)


class Across(Enum):
    """Why code of the web may pass the wall: it has asked for the right itself, or shows nobody's rows."""

    CALLER = "who calls, and where he is a member, is read before it is known in which organisation he acts"
    PERSONAL = "his own account, memberships and invitations, over organisations"
    PLATFORM = "a platform admin: is_superuser was read in this request"
    POOL = "that a shared worker runs something, whoever's it is"
    METRICS = "sums over all organisations, for the operator's scrape"
    READY = "what the database is, for /readyz; no table of a tenant's"
    NOBODY = "the trail of acts in no organisation, such as a failed sign-in"


class Here(threading.local):
    """What this thread answers: nothing while no request is, and then anything may be asked."""

    up = False
    open = False
    org = ""


here = Here()


@contextmanager
def raised() -> Iterator[None]:
    """While a request is answered: nothing of any organisation is seen until enter()."""
    here.up, here.open, here.org = True, False, ""
    try:
        yield
    finally:
        forget()
        here.up = False


def forget() -> None:
    """In a transaction that was begun before the request, as tests do, what was told would go on."""
    here.open = True
    session = connection.connection
    if session is not None and not session.closed and session.info.transaction_status == TransactionStatus.INTRANS:
        tell(session)


def enter(org_id: int) -> None:
    """From here on the request acts in this organisation, as the caller has made sure that it may."""
    here.org = str(int(org_id))


def open_for(reason: Across) -> None:
    """For the rest of the request the wall is open. For gates, which have asked for the right."""
    assert reason in Across
    here.open = True


@contextmanager
def across(reason: Across) -> Iterator[None]:
    """The wall is open within."""
    assert reason in Across
    before, here.open = here.open, True
    try:
        yield
    finally:
        here.open = before


@contextmanager
def inside(org_id: int) -> Iterator[None]:
    """Within, for code that acts in an organisation which need not be the request's."""
    before, here.org = here.org, str(int(org_id))
    try:
        yield
    finally:
        here.org = before


def carried(pieces: Iterator[Any]) -> Iterator[Any]:
    """The same, made behind this request's wall also after it was answered: for what is streamed from the database."""
    org = here.org if here.up and not here.open else None

    def walled() -> Iterator[Any]:
        while True:
            with raised():
                enter(int(org or 0))
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    return pieces if org is None else walled()


# --- What the server is told ----------------------------------------------------------------------------------------


def told(session: Any) -> tuple[str, str] | None:
    """Role and organisation for the statement that follows on this session; None when there is nothing to say."""
    if not here.up:
        return None
    role = getattr(session, "web_role", None)
    if role is None:
        if settings.ROW_SECURITY == "required" and not here.open:
            raise NotWalled
        if settings.ROW_SECURITY == "auto":
            warn()
        return None
    if here.open:
        # in a transaction an earlier statement may have said otherwise
        return None if session.info.transaction_status == TransactionStatus.IDLE else ("none", "")
    return role, here.org


@cache
def warn() -> None:
    """Once a process."""
    log.warning("web requests are not held to their organisation by PostgreSQL: manage.py check --database default")


@lru_cache(maxsize=10_000)
def spoken(role: str, org: str) -> str:
    """A statement that says so, to be put before another. Both words are ours (row_security.ROLE_NAME, a number)."""
    return f"SELECT set_config('role','{role}',true),set_config('app.org','{org}',true);"


def tell(session: Any) -> None:
    """Say it by itself, in the transaction that is open."""
    if words := told(session):
        psycopg.ClientCursor(session).execute(spoken(*words).encode())


class WallMiddleware:
    """Everything that a request asks is asked behind the wall."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with raised():
            return self.get_response(request)
