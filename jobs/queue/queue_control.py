"""What people set of a queue besides its pause and order: whether it takes new jobs, and how long one should wait."""

from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import InvalidPause
from jobs.queue.brief import brief
from jobs.queue.control import queue_of
from orgs import audit
from orgs.roles import Action
from orgs.scope import Scope

LONGEST_TARGET = 31 * 86_400


def close(
    name: str, *, scope: Scope, request: HttpRequest | None = None, reason: str = "", version: int | None = None
) -> None:
    """The queue takes no new job from now on: a submit is refused, and so is a time of a schedule. What is in it runs,
    is tried again and may be replayed, until the queue is empty. Raises as control.pause() does."""
    scope.require(Action.PAUSE)
    with brief():
        queue = queue_of(name, scope, version)
        old = {"closed": queue.closed, "reason": queue.close_reason}
        queue.closed_at, queue.closed_by, queue.close_reason = Now(), scope.user, reason[:200]
        queue.save(update_fields=["closed_at", "closed_by", "close_reason", "version"])
        changed: dict[str, Any] = {"old": old, "new": {"closed": True, "reason": reason[:200]}}
        audit.record(
            "queue.close", org=scope.org, actor=scope.user, target=name, request=request, reason=reason, **changed
        )


def reopen(name: str, *, scope: Scope, request: HttpRequest | None = None, version: int | None = None) -> None:
    """The queue takes new jobs again."""
    scope.require(Action.PAUSE)
    with brief():
        queue = queue_of(name, scope, version)
        changed = {"old": {"closed": queue.closed, "reason": queue.close_reason}, "new": {"closed": False}}
        queue.closed_at, queue.closed_by, queue.close_reason = None, None, ""
        queue.save(update_fields=["closed_at", "closed_by", "close_reason", "version"])
        audit.record("queue.reopen", org=scope.org, actor=scope.user, target=name, request=request, **changed)


def set_target(
    name: str,
    seconds: int | None,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    version: int | None = None,
) -> None:
    """No job of the queue should wait longer; None: nobody says. Raises InvalidPause beside what pause() raises."""
    scope.require(Action.PAUSE)
    if seconds is not None and not 1 <= seconds <= LONGEST_TARGET:
        raise InvalidPause([("/target_seconds", f"From 1 to {LONGEST_TARGET}.")])
    with brief():
        queue = queue_of(name, scope, version)
        old, queue.target_seconds = queue.target_seconds, seconds
        queue.save(update_fields=["target_seconds", "version"])
        changed = {"old": {"target_seconds": old}, "new": {"target_seconds": seconds}}
        audit.record("queue.target", org=scope.org, actor=scope.user, target=name, request=request, **changed)
