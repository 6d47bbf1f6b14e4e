"""A guard for tasks and receivers that are told of the same event more than once."""

from django.db import connection

from jobs.queue import sql
from orgs.models import Org

LONGEST = 255


class NoTransaction(RuntimeError):
    """first_time() was called outside of a transaction: what follows could be lost, and the event taken for seen."""


def first_time(event: str, *, org: str) -> bool:
    """Note an event in the transaction of what is done about it; False when that was done before.

    `event` is the sender's name for it, up to 255 characters; `org` the organisation's slug (Context.org). Another
    transaction that is about the same event is waited for: if it is taken back, this one is the first. Events are
    remembered for SEEN_EVENT_DAYS. Raises NoTransaction, ValueError, Org.DoesNotExist.
    """
    if not connection.in_atomic_block:
        raise NoTransaction("first_time() belongs into the transaction of what is done about the event.")
    if not 0 < len(event) <= LONGEST or "\0" in event:
        raise ValueError(f"the name of an event has 1 to {LONGEST} characters, none of them NUL")
    if sql.run("see_event", org=org, event=event):
        return True
    if not Org.objects.filter(slug=org).exists():
        raise Org.DoesNotExist(org)
    return False
