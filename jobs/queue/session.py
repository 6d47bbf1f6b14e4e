"""What each of our sessions asks of the server: to notice soon when we are gone, to hold no lock for us for ever, and
to keep what it acknowledges. One that does not is refused."""

from typing import Any

import psycopg
from django.conf import settings

from jobs.durability import ASKED, NotDurable, off
from jobs.handlers.base import running
from orgs.row_security import WEB_ROLE, NotWalled, begun_with

# A client that vanished without a word is noticed within eight seconds, its locks freed: after four, by probes, where
# the server has nothing to tell it; what it has to tell puts off the probes, and is waited for three and a half more.
# On a Unix socket they mean nothing. The client's own side is in smartqueue.database.
NOTICE = {
    "tcp_keepalives_idle": "2s",
    "tcp_keepalives_interval": "1s",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "3500ms",
}
BEGIN = f"""
    SELECT count(set_config(name, value, false)), ARRAY[{ASKED}], {WEB_ROLE}
    FROM unnest(%s::text[], %s::text[]) AS parameter (name, value)
"""  # noqa: S608 a constant


def begin(session: "psycopg.Connection[Any]") -> None:
    """Set up a new session. Raises NotDurable."""
    wanted = {**NOTICE, **(bounds() if running.get() is None else {})}
    session.autocommit = True
    # not by Django's cursor: as whom it acts is not known yet
    row = psycopg.Cursor(session).execute(BEGIN, [list(wanted), list(wanted.values())]).fetchone()
    assert row is not None
    if (names := off(row[1])) and not settings.UNDURABLE_DATABASE:
        raise NotDurable(names)
    begun_with(session, row[2])


def bounds() -> dict[str, str]:
    """Of our own statements and transactions. A task's are bounded by the time of its job."""
    return {
        "statement_timeout": milliseconds(settings.STATEMENT_TIMEOUT_SECONDS),
        "idle_in_transaction_session_timeout": milliseconds(settings.IDLE_TRANSACTION_SECONDS),
    }


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}ms"


def cause(error: BaseException) -> NotDurable | NotWalled | None:
    """The refusal behind an error of Django's."""
    return error.__cause__ if isinstance(error.__cause__, NotDurable | NotWalled) else None
