"""Where the jobs are that a list is narrowed to, among many: by their words (jobs.search.lexemes), in the list's order.

What is found so may have changed since its words were made: the list asks the jobs themselves once more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import BooleanField, F, Func, Value
from django.utils import timezone

from jobs.ids import first_uuid7
from jobs.models import Lease
from jobs.queue import sql
from jobs.search import lexemes
from jobs.search.filters import ID_SLACK, Filters
from jobs.states import Status
from orgs.models import User

OLDEST, NEWEST = UUID(int=0), UUID(int=2**128 - 1)
# Jobs in the list's order that are looked at one by one first: what most pages show is among them.
WINDOW = 2_000
# Between the time in an id and the time of the transaction that wrote it.
CLOCK_SLACK = timedelta(seconds=10)
MOST_RUNNING = 10_000
# No more are counted, nor put into another order than that of their ids.
COUNTED = 10_000
# Where the planner takes it for so many times that, they are not even looked for.
SURELY_MORE = 3
# Jobs that are found by their words are looked at so many at a time: first few, since most pages need no more.
FOUND_FIRST, FOUND_FIRST_OF_RUNTIME, FOUND_FIRST_OF_HOUR, FOUND_MOST = 200, 500, 1_500, 5_000
# Hosts that are kept in time differ by far less.
CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Window:
    """The next jobs of an organisation, whatever the filter."""

    # As many as were asked for, if there are.
    jobs: int
    # The last of the first WINDOW of them, and whether there are no more.
    far: UUID
    is_all: bool
    # Jobs from here on may have no words yet; earlier ones have.
    floor: UUID
    followed_at: datetime | None


def window(org_id: int, *, edge: UUID, newest: bool, most: int = 0) -> Window:
    most = max(most, WINDOW + 1)
    (row,) = sql.run("window", org_id=org_id, edge=edge, newest=newest, look=WINDOW, most=most)
    floor = first_uuid7(row.followed_at - CLOCK_SLACK) if row.followed_at else OLDEST
    return Window(row.jobs, row.far or edge, row.jobs <= WINDOW, floor, row.followed_at)


@dataclass(frozen=True, slots=True)
class Most:
    """What the words find, no further than is counted."""

    # As the planner takes it.
    about: int
    # Whether the rest is known: they are no more than are counted.
    is_known: bool
    # How many of them are older than whatever may have no words yet.
    settled: int
    # The first few below the window, and all of them as PostgreSQL writes an array.
    some: list[UUID]
    every: str


class Among(Func):
    """That an id is in such an array, as PostgreSQL writes it: ten thousand of them as one value."""

    arg_joiner = " = ANY("
    template = "%(expressions)s::uuid[])"
    output_field = BooleanField()

    def __init__(self, every: str) -> None:
        super().__init__(F("pk"), Value(every))

    @classmethod
    def these(cls, ids: list[UUID]) -> "Among":
        return cls(f"{{{','.join(map(str, ids))}}}")


class Finder:
    """Finds the jobs of one organisation that may pass these filters, by index.

    Where they are counted as well, as many as are counted are found at once.
    """

    def __init__(self, org_id: int, filters: Filters, *, counts: bool = False, creator_id: int | None = None) -> None:
        """`creator_id` is who the filters name as the creator, where that was looked up already."""
        self.org_id, self.filters, self.counts, self.creator_id = org_id, filters, counts, creator_id

    @property
    def narrows(self) -> bool:
        return self.filters != Filters()

    @property
    def only_by_words(self) -> bool:
        """One by one, they would each be looked up in another table."""
        return bool(self.filters.worker or self.filters.fingerprint)

    @property
    def is_exact(self) -> bool:
        """Whether what the words find needs no second look to be counted."""
        asked = self.filters
        loose = (
            asked.worker, asked.created_after, asked.created_before, asked.finished_after, asked.finished_before,
            asked.runtime_min_ms, asked.runtime_max_ms, asked.search.texts, Status.RUNNING in asked.statuses,
            [member for member in asked.search.members if member.operator],
        )  # fmt: skip
        bounds = (asked.attempts_min or 0, asked.attempts_max or 0)
        return not any(loose) and asked.replayed is not False and max(bounds) < lexemes.MOST_ATTEMPTS

    @property
    def found_first(self) -> int:
        """More where the words are coarser than the filter: by two in a hundred of a duration, or by an hour."""
        asked = self.filters
        if asked.finished_after or asked.finished_before:
            return FOUND_FIRST_OF_HOUR
        if asked.runtime_min_ms is not None or asked.runtime_max_ms is not None:
            return FOUND_FIRST_OF_RUNTIME
        return FOUND_FIRST

    @property
    def only_running(self) -> bool:
        return self.filters.statuses == (Status.RUNNING,)

    def running(self) -> list[UUID]:
        """These are few, and known to the moment."""
        leases = Lease.objects.filter(org_id=self.org_id).values_list("job_id", flat=True)
        return list(leases[:MOST_RUNNING])

    @cached_property
    def top(self) -> Window:
        """The newest jobs, as many as are counted; a page looks at the first WINDOW of them."""
        return window(self.org_id, edge=NEWEST, newest=True, most=COUNTED + 1)

    @property
    def followed_at(self) -> datetime | None:
        """Up to when jobs have the words that they were looked for by; None where all were looked at."""
        looked = vars(vars(self).get("failed", self)).get("top")
        return looked.followed_at if looked and not looked.is_all else None

    @cached_property
    def most(self) -> Most:
        """Of those that have the words: as many as are counted, and one more."""
        after, before = self.bounds(OLDEST, NEWEST)
        (row,) = sql.run(
            "search_top",
            org_id=self.org_id,
            wanted=self.wanted,
            after=after,
            before=before,
            most=COUNTED + 1,
            skip_above=COUNTED * SURELY_MORE,
            floor=self.top.floor,
            below=min(self.top.floor, self.top.far),
            few=self.found_first,
        )
        known = row.number is not None and row.number <= COUNTED
        about = round(row.estimate or 0)
        return Most(about, known, row.settled or 0, row.first_ids or [], row.all_ids or "{}")

    @cached_property
    def running_there(self) -> list[UUID]:
        """What the worker that is asked for runs now: words tell only of attempts that have ended."""
        if not self.filters.worker:
            return []
        leases = Lease.objects.filter(org_id=self.org_id, worker_name=self.filters.worker)
        return list(leases.values_list("job_id", flat=True)[:MOST_RUNNING])

    @cached_property
    def failed(self) -> "Finder":
        """Of these the dead letters."""
        filters = replace(self.filters, statuses=(Status.FAILED,))
        return Finder(self.org_id, filters, counts=self.counts, creator_id=self.creator_id)

    @cached_property
    def wanted(self) -> str | None:
        """What the words of a job must be, as a tsquery; None where the filters say nothing that has words."""
        parts = [lexemes.either(self.org_id, choice) for choice in self.choices() if choice]
        parts += lexemes.of_search(self.org_id, self.filters.search)
        return " & ".join(parts) or None

    def choices(self) -> list[list[str]]:
        """One of each must be among them."""
        asked = self.filters
        now = timezone.now()
        same = {
            lexemes.TYPE: asked.type,
            lexemes.QUEUE: asked.queue,
            lexemes.URGENCY: asked.urgency,
            lexemes.CATEGORY: asked.category,
            lexemes.NAME: asked.name,
            lexemes.CORRELATION: asked.correlation_id,
            lexemes.ERROR: asked.error_type,
            lexemes.FINGERPRINT: asked.fingerprint,
            lexemes.TAG: asked.tag,
            lexemes.WORKER: asked.worker,
            lexemes.BATCH: asked.batch.hex if asked.batch else "",
            lexemes.CREATOR: self.creator() if asked.creator else "",
        }
        # what runs is said by the leases
        statuses = () if Status.RUNNING in asked.statuses else asked.statuses
        return [
            *([kind + lexemes.short(value)] for kind, value in same.items() if value),
            [lexemes.STATUS + str(status) for status in statuses],
            [lexemes.REPLAYED + "1"] if asked.replayed else [],
            lexemes.counts_between(asked.attempts_min, asked.attempts_max),
            lexemes.runtimes_between(asked.runtime_min_ms, asked.runtime_max_ms),
            lexemes.hours_between(asked.finished_after, asked.finished_before, now),
        ]

    def creator(self) -> str:
        found = self.creator_id
        if found is None:
            found = User.objects.filter(username__iexact=self.filters.creator).values_list("pk", flat=True).first()
        return str(found or "nobody")

    def ids(self, *, after: UUID = OLDEST, before: UUID = NEWEST, most: int, newest: bool = True) -> list[UUID]:
        """So many between these two, in order of their ids."""
        after, before = self.bounds(after, before)
        between = {"after": after, "before": before, "likely": self.likely}
        rows = sql.run("search_ids", org_id=self.org_id, wanted=self.wanted, most=most, newest=newest, **between)
        return [row.id for row in rows]

    @property
    def likely(self) -> UUID:
        """Beyond it a job is only where the clock that made its id was far ahead."""
        ended = self.filters.finished_before
        return first_uuid7(ended + CLOCKS_APART) if ended else NEWEST

    def batches(self, edge: UUID, far: UUID, *, down: bool) -> Iterator[list[UUID]]:
        """Between these two in order, first few and then more at a time."""
        size = self.found_first
        if self.counts and down and (self.most.is_known or len(self.most.some) == size):
            known = [one for one in self.most.some if far <= one < edge]
            yield known
            if len(self.most.some) < size:
                return
            edge = min(edge, self.most.some[-1])
        while True:
            after, before = (far, edge) if down else (edge, far)
            ids = self.ids(after=after, before=before, most=size, newest=down)
            yield ids
            if len(ids) < size:
                return
            edge, size = ids[-1], min(size * 5, FOUND_MOST)

    def bounds(self, after: UUID, before: UUID) -> tuple[UUID, UUID]:
        """Between them, and as far as the time of creation says so."""
        asked = self.filters
        if asked.created_after:
            after = max(after, first_uuid7(asked.created_after - ID_SLACK))
        for moment in (asked.created_before, asked.finished_before):
            if moment:
                before = min(before, first_uuid7(moment + ID_SLACK))
        return after, before
