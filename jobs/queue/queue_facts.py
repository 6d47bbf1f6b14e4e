"""How the queues of an organisation stand: what waits and since when, who serves them, and when they are empty."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jobs.models import Limit, LimitScope, Pause, Queue
from jobs.queue import sql
from jobs.queue.backlog import STALE_SECONDS
from jobs.states import Status
from orgs.models import Org
from orgs.roles import OrgState

# Of all that waits of an organisation the oldest so many are read.
READ_BOUND = 20_000
KINDS_BOUND = 5_000
MOST_WORKERS = 500
MOST_PAUSES = 100


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """Of one queue; seconds are None where they are not known."""

    queue: Queue
    counts: dict[Status, int]
    workers: int
    slots: int
    running: int
    # Of the limit of this queue, where there is one.
    max_running: int | None
    waiting_since: datetime | None
    oldest_seconds: float | None
    # Until all that waits in it now has run, of other organisations too, as it was predicted.
    empty_seconds: float | None
    # Attempts that ended, by the minute of the last hour.
    ended: list[int] = field(default_factory=list)

    @property
    def ended_sum(self) -> int:
        return sum(self.ended)

    @property
    def waiting(self) -> int:
        return self.counts[Status.QUEUED]

    @property
    def late(self) -> bool:
        """Its oldest job waits longer than it should."""
        return (
            self.queue.target_seconds is not None
            and self.oldest_seconds is not None
            and self.oldest_seconds > self.queue.target_seconds
        )

    @property
    def unserved(self) -> bool:
        """Jobs wait here and no worker that is online takes them."""
        return self.workers == 0 and self.waiting > 0

    @property
    def places(self) -> int:
        """How many may run at once: what its limit says, else what the workers have slots for."""
        return self.slots if self.max_running is None else self.max_running

    @property
    def counted(self) -> list[tuple[Status, int]]:
        """In the order of Status."""
        return [(status, self.counts[status]) for status in Status]


def facts_of(
    queues: Sequence[Queue], org: Org, pauses: Sequence[Pause], limits: Sequence[Limit] | None = None
) -> list[QueueFacts]:
    """In the order given, with a statement or two, however many they are. `pauses` are those of the organisation, and
    `limits` those of these queues, where they are known."""
    names = [queue.name for queue in queues]
    bounds = {"bound": READ_BOUND, "most_workers": MOST_WORKERS, "fresh_seconds": STALE_SECONDS}
    rows = {row.name: row for row in sql.run("queue_facts", org_id=org.pk, queues=names, **bounds)}
    if limits is None:
        limits = list(Limit.objects.for_org(org).filter(scope=LimitScope.QUEUE, name__in=names))
    most = {limit.name: limit.max_running for limit in limits if limit.scope == LimitScope.QUEUE}
    stopped = org.state != OrgState.ACTIVE or any(not one.type for one in pauses)
    return [one_of(queue, rows[queue.name], most.get(queue.name), stopped=stopped) for queue in queues]


def one_of(queue: Queue, row: sql.Row, max_running: int | None, *, stopped: bool) -> QueueFacts:
    places = row.slots if max_running is None else min(row.slots, max_running)
    by_status = {status: row.by_status.get(status, 0) for status in Status}
    waiting = by_status[Status.QUEUED]
    # what was not read is taken to be like what was
    own_ms = row.read_ms * max(waiting / row.jobs_read, 1.0) if row.jobs_read else 0.0
    work_ms = max(own_ms, row.all_waiting_ms) + row.running_ms
    is_open = waiting and places and not queue.paused and not stopped
    return QueueFacts(
        queue=queue,
        counts=by_status,
        workers=row.workers,
        slots=row.slots,
        running=row.running,
        max_running=max_running,
        waiting_since=row.waiting_since,
        oldest_seconds=row.oldest_seconds if row.waiting_since else None,
        empty_seconds=work_ms / 1000 / places if is_open else None,
    )


def pauses_of(org: Org) -> list[Pause]:
    """The whole organisation's first, then by kind."""
    found = Pause.objects.for_org(org).select_related("paused_by").order_by("type", "name")
    return list(found[:MOST_PAUSES])


def waiting_kinds(org: Org, queue: str) -> list[sql.Row]:
    """(type, name, jobs, waiting_since, held) of what waits in it."""
    return sql.run("waiting_kinds", org_id=org.pk, queue=queue, bound=READ_BOUND, most=KINDS_BOUND)
