"""Setting and removing limits, and making it known to the jobs that wait.

Whether any limit is about a waiting job stands in its Ready row, as does whether its kind is paused. When that changes,
the rows of the organisation are looked at again in order of queueing: the first batch by the verb itself, the rest by
the leader (LimitSweep).
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import InvalidLimit, LimitNotFound
from jobs.handlers import registry
from jobs.models import EVERY, Limit, LimitScope, LimitSweep
from jobs.queue import sql
from jobs.queue.brief import brief
from jobs.queue.limits import wake_limited
from jobs.queue.new_job import MAX_LENGTHS, QUEUE_NAME
from jobs.queue.notify import wake
from jobs.strict_json import UNSTORABLE
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

MARK_BATCH = 5_000
# How long after a change rows are looked for that were being stored at that moment, under the limits before it.
LOOK_FOR = timedelta(minutes=1)
PRUNE_BATCH = 5_000
MOST_LIMITS = 1_000
# How many organisations the leader looks at in one step.
SWEEPS = 20
LARGEST = 1_000_000
LONGEST_SECONDS = 31 * 86_400.0
BEGINNING = ("-infinity", "00000000-0000-0000-0000-000000000000")
FIELDS = ("max_running", "rate_count", "rate_seconds", "burst")


def set_limit(
    limit_scope: str,
    name: str,
    *,
    scope: Scope,
    request: HttpRequest | None = None,
    max_running: int | None = None,
    rate_count: int | None = None,
    rate_seconds: float | None = None,
    burst: int | None = None,
) -> tuple[Limit, bool]:
    """Set a limit, in place of the one there was; returns it and whether it is new. Raises InvalidLimit.

    It counts at once for what is enqueued from now on; what waits already comes under it batch by batch.
    """
    scope.require(Action.MANAGE_LIMITS)
    fields: dict[str, Any] = {
        "max_running": max_running,
        "rate_count": rate_count,
        "rate_seconds": rate_seconds,
        "burst": rate_count if burst is None else burst,
    }
    if found := [*name_faults(limit_scope, name), *faults(**fields)]:
        raise InvalidLimit(found)
    with brief():
        # one after the other: none of them is over the most, and each tells of the one before
        Org.objects.select_for_update(no_key=True).get(pk=scope.org.pk)
        limits = Limit.objects.for_org(scope.org)
        old = limits.filter(scope=limit_scope, name=name).select_for_update().first()
        if old is None and limits.count() >= MOST_LIMITS:
            raise InvalidLimit([("", f"An organisation has at most {MOST_LIMITS} limits.")])
        limit, created = limits.update_or_create(org=scope.org, scope=limit_scope, name=name, defaults=fields)
        before = shown(old) if old else None
        told(scope, f"{limit_scope}:{name}", "limit.set", request, old=before, new=shown(limit))
    return limit, created


def remove_limit(limit_scope: str, name: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Take a limit away: what waited for it may start. Raises LimitNotFound."""
    scope.require(Action.MANAGE_LIMITS)
    with brief():
        old = limit_of(limit_scope, name, scope.org, lock=True)
        removed = shown(old)
        old.delete()
        told(scope, f"{limit_scope}:{name}", "limit.remove", request, old=removed, new=None)


def limit_of(limit_scope: str, name: str, org: Org, *, lock: bool = False) -> Limit:
    """Raises LimitNotFound."""
    limits = Limit.objects.for_org(org)
    if lock:
        limits = limits.select_for_update()
    found = limits.filter(scope=limit_scope, name=name).first() if not UNSTORABLE.search(limit_scope + name) else None
    if found is None:
        raise LimitNotFound
    return found


def name_faults(limit_scope: str, name: str) -> list[tuple[str, str]]:
    """What is wrong with what a limit is said to be about: (JSON pointer, sentence)."""
    match limit_scope:
        case LimitScope.ORG:
            wrong = "" if name == EVERY else f"A limit of the organisation has the name {EVERY}."
        case LimitScope.QUEUE:
            wrong = "" if QUEUE_NAME.fullmatch(name) else "1 to 40 lower-case letters, digits, dashes or underscores."
        case LimitScope.TYPE:
            wrong = "" if name in registry.types() else f"There is no job type {name!r:.40}."
        case LimitScope.KEY:
            longest = MAX_LENGTHS["limit_key"]
            fits = 1 <= len(name) <= longest and not UNSTORABLE.search(name)
            wrong = "" if fits else f"1 to {longest} characters, none of them NUL."
        case _:
            return [("/scope", f"One of {', '.join(LimitScope.values)}.")]
    return [("/name", wrong)] if wrong else []


def faults(
    *, max_running: int | None, rate_count: int | None, rate_seconds: float | None, burst: int | None
) -> list[tuple[str, str]]:
    """What is wrong with the numbers of a limit: (JSON pointer, sentence)."""
    if max_running is None and rate_count is None:
        return [("", "Give max_running, rate_count or both.")]
    found = []
    if rate_count is None and (rate_seconds is not None or burst is not None):
        found.append(("/rate_count", "Give it too, or leave rate_seconds and burst out."))
    if rate_count is not None and rate_seconds is None:
        found.append(("/rate_seconds", "So many starts in how many seconds?"))
    for name, value, low in (("max_running", max_running, 0), ("rate_count", rate_count, 1), ("burst", burst, 1)):
        if value is not None and not low <= value <= LARGEST:
            found.append((f"/{name}", f"From {low} to {LARGEST}."))
    if rate_seconds is not None and not 0.001 <= rate_seconds <= LONGEST_SECONDS:
        found.append(("/rate_seconds", f"From 0.001 to {LONGEST_SECONDS:g}."))
    return found


def told(
    scope: Scope, target: str, action: str, request: HttpRequest | None, *, old: dict[str, Any] | None, new: Any
) -> None:
    """What follows from a change: it is audited, waiting jobs are marked, and those that may start are."""
    audit.record(action, org=scope.org, actor=scope.user, target=target, request=request, old=old, new=new)
    look_again(scope.org)


def look_again(org: Org) -> None:
    """At each waiting job of the organisation: which limits are about it, and whether its kind is paused."""
    start = {"changed_at": Now(), "after_at": None, "after_id": None, "first_pass": True}
    sweep, _ = LimitSweep.objects.update_or_create(org=org, defaults=start)
    mark(sweep)
    wake_limited(org_ids=[org.pk])


def shown(limit: Limit) -> dict[str, Any]:
    return {name: getattr(limit, name) for name in FIELDS}


def mark(sweep: LimitSweep) -> bool:
    """Look at the next batch of waiting jobs; True while there is more in the first pass."""
    (looked,) = sql.run(
        "mark_limited",
        org_id=sweep.org_id,
        after_at=sweep.after_at or BEGINNING[0],
        after_id=sweep.after_id or BEGINNING[1],
        batch=MARK_BATCH,
    )
    wake(((queue, rank) for queue, rank in looked.places), many=True)
    if looked.looked_at == MARK_BATCH:
        sweep.after_at, sweep.after_id = looked.last_at, looked.last_id
        sweep.save(update_fields=["after_at", "after_id"])
        return sweep.first_pass
    same = LimitSweep.objects.filter(pk=sweep.pk)
    if not same.filter(changed_at__lte=Now() - LOOK_FOR).delete()[0]:
        same.update(after_at=None, after_id=None, first_pass=False)
    return False


def keep_marked() -> bool:
    """The leader's share: one batch of each organisation whose limits were changed; True to go on at once."""
    sweeps = LimitSweep.objects.select_for_update(skip_locked=True).order_by("changed_at")
    return True in [mark(sweep) for sweep in sweeps[:SWEEPS]]


def forget_buckets() -> bool:
    """Drop what is kept of rates that are full again; True when there may be more."""
    (answer,) = sql.run("prune_buckets", batch=PRUNE_BATCH)
    return bool(answer.buckets == PRUNE_BATCH)


def with_use(limits: Sequence[Limit], org: Org) -> list[Limit]:
    """With `running`, what counts against each now, and `tokens`, where all its jobs share one bucket.

    One that has been removed in the meantime is shown as it was, and unused.
    """
    use = {row.id: row for row in sql.run("limit_use", org_id=org.pk, limit_ids=[limit.pk for limit in limits])}
    for limit in limits:
        row = use.get(limit.pk)
        limit.running, limit.tokens = (row.running, row.tokens) if row else (0, None)
    return list(limits)
