"""How much an organisation may have at once, and has: waiting jobs, bytes of payloads, schedules, bytes of files.

Each act that adds to one asks in its own transaction, under a lock, so that two at the same moment do not both take the
last place. What waits is read from the exact counts, never counted; and far from the quota, which is nearly always,
it is read once a second, and nobody waits for anybody. docs/decisions/0017-rate-limits.md.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db.models import Sum

from jobs.errors import NoRoom, QueueFull, SchedulesFull
from jobs.models import Artefact, Schedule
from jobs.queue import sql
from jobs.queue.new_job import NewJob, canonical
from orgs import limit_hits
from orgs.models import Org

WAITING_JOBS, PAYLOAD_BYTES = QueueFull.WAITING_JOBS, QueueFull.PAYLOAD_BYTES
SCHEDULES, ARTEFACT_BYTES = SchedulesFull.quota, NoRoom.quota
# Of each quota: where the organisation's own stands, and the setting that is the default.
QUOTAS = {
    WAITING_JOBS: ("max_waiting_jobs", "WAITING_MAX_JOBS"),
    PAYLOAD_BYTES: ("max_payload_bytes", "WAITING_MAX_PAYLOAD_BYTES"),
    SCHEDULES: ("max_schedules", "SCHEDULES_MAX"),
    ARTEFACT_BYTES: ("max_artefact_bytes", "ARTEFACT_ORG_MAX_BYTES"),
}
KNOWN_KEPT = 20_000


class Usage(NamedTuple):
    """Of one quota."""

    quota: str
    limit: int
    used: int
    # Whether the limit is the organisation's own.
    own: bool

    @property
    def percent(self) -> int:
        return min(100 * self.used // self.limit, 100) if self.limit else 100


@dataclass(slots=True)
class Room:
    """What an organisation may have waiting, and has."""

    max_jobs: int
    max_bytes: int
    jobs: int
    bytes: int

    def is_wide(self, jobs: int) -> bool:
        """Whether so many fit, with as much beside them as may come in before this is read again."""
        more_bytes = jobs * settings.PAYLOAD_MAX_BYTES + settings.QUOTA_MARGIN_BYTES
        return (
            self.jobs + jobs + settings.QUOTA_MARGIN_JOBS <= self.max_jobs and self.bytes + more_bytes <= self.max_bytes
        )

    @property
    def jobs_left(self) -> int:
        return self.max_jobs - self.jobs

    @property
    def bytes_left(self) -> int:
        return self.max_bytes - self.bytes

    def full(self, jobs: int, payload_bytes: int) -> QueueFull:
        """Why no more fit, where so many took a place."""
        if self.jobs_left <= jobs:
            return QueueFull(WAITING_JOBS, self.max_jobs, self.jobs + jobs)
        return QueueFull(PAYLOAD_BYTES, self.max_bytes, self.bytes + payload_bytes)

    def take(self, payload_bytes: int) -> QueueFull | None:
        """A place for one more job, or why there is none."""
        if self.jobs >= self.max_jobs:
            return QueueFull(WAITING_JOBS, self.max_jobs, self.jobs)
        if self.bytes + payload_bytes > self.max_bytes:
            return QueueFull(PAYLOAD_BYTES, self.max_bytes, self.bytes)
        self.jobs += 1
        self.bytes += payload_bytes
        return None


_known: dict[int, tuple[Room, float]] = {}


def is_far(org: Org, jobs: int) -> bool:
    """Whether so many jobs need not be held to the quotas, by what was read within the last second."""
    room, fresh_until = _known.get(org.pk, (None, 0.0))
    if room is None or time.monotonic() >= fresh_until:
        if len(_known) >= KNOWN_KEPT:
            _known.clear()
        room = room_of(org)
        _known[org.pk] = room, time.monotonic() + settings.SHARE_FRESH_SECONDS
    return room.is_wide(jobs)


def room_of(org: Org) -> Room:
    ((own_jobs, own_bytes, jobs, payload_bytes),) = sql.rows("quota_use", org_id=org.pk)
    return Room(
        settings.WAITING_MAX_JOBS if own_jobs is None else own_jobs,
        settings.WAITING_MAX_PAYLOAD_BYTES if own_bytes is None else own_bytes,
        jobs,
        payload_bytes,
    )


def hold(org_id: int, quota: str) -> None:
    """Until the transaction ends nobody else adds to what this quota is about."""
    sql.rows("hold_quota", org_id=org_id, quota=quota)


def places(new: Sequence[NewJob], org: Org, earlier: Collection[str]) -> list[QueueFull | None]:
    """Why there is no place for each of these jobs, under hold(). `earlier`: keys of those that are there already."""
    room = room_of(org)
    return [None if one.idempotency_key in earlier else room.take(len(canonical(one.payload))) for one in new]


def room_for(org: Org, jobs: int) -> Room | None:
    """What is left to jobs that exist already, until the transaction ends; None where so many have room anyway.

    Asked before any row of theirs is locked: whoever has this may wait for such a row.
    """
    if is_far(org, jobs):
        return None
    hold(org.pk, WAITING_JOBS)
    return room_of(org)


def limit_of(org: Org, quota: str) -> int:
    field, setting = QUOTAS[quota]
    own = getattr(org, field)
    return int(getattr(settings, setting) if own is None else own)


def check_schedule(org: Org) -> None:
    """Raise SchedulesFull when there is no place for one more. The caller has the organisation's row locked."""
    limit, used = limit_of(org, SCHEDULES), Schedule.objects.for_org(org).count()
    if used >= limit:
        limit_hits.note(org.pk, SCHEDULES)
        raise SchedulesFull(limit, used)


def check_room(org_id: int, size_bytes: int) -> None:
    """Raise NoRoom when a file of this size has none. Until the transaction ends no other is kept."""
    hold(org_id, ARTEFACT_BYTES)
    limit, used = file_limit(org_id), file_bytes(org_id)
    if used + size_bytes > limit:
        limit_hits.note(org_id, ARTEFACT_BYTES)
        raise NoRoom(limit, used)


def file_limit(org_id: int) -> int:
    return limit_of(Org.objects.only(QUOTAS[ARTEFACT_BYTES][0]).get(pk=org_id), ARTEFACT_BYTES)


def file_bytes(org_id: int) -> int:
    """What an organisation's artefacts have together."""
    rows = Artefact.objects.filter(org_id=org_id)
    return int(rows.aggregate(total=Sum("size_bytes"))["total"] or 0)


def usage(org: Org) -> list[Usage]:
    """Of each quota, as QUOTAS has them."""
    room = room_of(org)
    used = {
        WAITING_JOBS: room.jobs,
        PAYLOAD_BYTES: room.bytes,
        SCHEDULES: Schedule.objects.for_org(org).count(),
        ARTEFACT_BYTES: file_bytes(org.pk),
    }
    return [
        Usage(quota, limit_of(org, quota), used[quota], getattr(org, field) is not None)
        for quota, (field, _) in QUOTAS.items()
    ]
