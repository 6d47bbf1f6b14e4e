"""Lists of jobs: the filters, orders and pages that the API and the dashboard share. Paged by key, never by offset."""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils.dateparse import parse_datetime
from psycopg.errors import QueryCanceled

from jobs.models import Job, JobQuerySet
from jobs.queue import sql
from jobs.queue.enqueue import canonical
from jobs.search.filters import Filters, narrowed, parse_statuses
from jobs.search.find import COUNTED, Among, Finder, Window, window
from jobs.search.find import NEWEST as LAST_ID
from jobs.search.find import OLDEST as FIRST_ID
from jobs.strict_json import loads

LIST_SECONDS = 2


# The columns a list may be sorted by: word -> field. Time of creation is in the id.
SORTS = {
    "created": "id",
    # of dead letters, which have an index for it
    "failed": "failed_at",
    "finished": "finished_at",
    "name": "name",
    "predicted": "predicted_ms",
    "priority": "priority",
    "runtime": "runtime_ms",
}
NULLABLE = {"finished", "runtime"}


@dataclass(frozen=True, slots=True)
class Sort:
    """An order; rows without a value come last either way, and the id decides between equals."""

    word: str = "created"
    descending: bool = True

    def __str__(self) -> str:
        return f"-{self.word}" if self.descending else self.word

    @property
    def field(self) -> str:
        return SORTS[self.word]


NEWEST = Sort()


def parse_sort(text: str) -> Sort:
    """`-created` is newest first; raises ValueError for a word that is not in SORTS."""
    word = text.removeprefix("-")
    if word not in SORTS:
        raise ValueError(f"One of {', '.join(SORTS)}, with a minus in front for descending.")
    return Sort(word, text.startswith("-"))


@dataclass(frozen=True, slots=True)
class JobPage:
    """One page; `next_cursor` is None on the last."""

    jobs: list[Job]
    next_cursor: str | None


class InvalidCursor(ValueError):
    """This is no cursor of this list."""


def page(
    jobs: JobQuerySet, *, size: int, sort: Sort = NEWEST, cursor: str = "", finder: Finder | None = None
) -> JobPage:
    """The `size` jobs that follow the cursor. Raises InvalidCursor.

    A `finder` finds, among many, those that `jobs` are narrowed to; without one they are looked at one by one.
    """
    if sort.word == "failed":
        jobs = jobs.dead_letters()
    place = decoded(cursor, sort) if cursor else None
    if finder is None or not finder.narrows or finder.wanted is None:
        rows = in_order(jobs, sort, place, size + 1)
    elif finder.only_running:
        rows = in_order(jobs.filter(pk__in=finder.running()), sort, place, size + 1)
    elif sort.word == "failed":
        rows = in_order(found(jobs, finder.failed), sort, place, size + 1)
    elif sort.field == "id":
        rows = found_by_id(jobs, finder, sort, place, size + 1)
    else:
        rows = in_order(found(jobs, finder), sort, place, size + 1)
    more = len(rows) > size
    rows = rows[:size]
    return JobPage(rows, encoded(rows[-1], sort) if more else None)


Place = tuple[Any, UUID]


def in_order(jobs: JobQuerySet, sort: Sort, place: Place | None, most: int) -> list[Job]:
    """The first of them, or of those after a place."""
    if place:
        jobs = jobs.filter(following(sort, *place))
    return list(jobs.order_by(*ordering(sort))[:most])


def found_by_id(jobs: JobQuerySet, finder: Finder, sort: Sort, place: Place | None, most: int) -> list[Job]:
    """In order of their ids: among the next few one by one, and then by their words."""
    down = sort.descending
    edge = place[1] if place else (LAST_ID if down else FIRST_ID)
    is_first = finder.counts and down and not place
    near = finder.top if is_first else window(finder.org_id, edge=edge, newest=down)
    far = edge_of(near, finder, down)
    rows = in_order(between(jobs, edge, far, down), sort, None, most)
    if near.is_all or len(rows) >= most:
        return rows
    edge = far
    if down and near.floor < edge:
        # those that may have no words yet
        rows += in_order(between(jobs, edge, near.floor, down), sort, None, most - len(rows))
        edge = near.floor
    far = FIRST_ID if down else max(near.floor, edge)
    rows += by_words(jobs, finder, sort, edge, far, most - len(rows))
    if not down and len(rows) < most:
        rows += in_order(between(jobs, far, LAST_ID, down), sort, None, most - len(rows))
    return rows


def edge_of(near: Window, finder: Finder, down: bool) -> UUID:
    """How far they are looked at one by one."""
    if near.is_all or not finder.only_by_words or not down:
        return near.far
    return max(near.far, near.floor)


def between(jobs: JobQuerySet, edge: UUID, far: UUID, down: bool) -> JobQuerySet:
    """Beyond the one, up to the other."""
    return jobs.filter(pk__lt=edge, pk__gte=far) if down else jobs.filter(pk__gt=edge, pk__lte=far)


def by_words(jobs: JobQuerySet, finder: Finder, sort: Sort, edge: UUID, far: UUID, most: int) -> list[Job]:
    rows: list[Job] = []
    if most:
        for ids in finder.batches(edge, far, down=sort.descending):
            rows += in_order(jobs.filter(Among.these(ids)), sort, None, most - len(rows)) if ids else []
            if len(rows) >= most:
                break
    if most and finder.running_there:
        running = between(jobs, edge, far, sort.descending).filter(pk__in=finder.running_there)
        every = {job.pk: job for job in (*rows, *in_order(running, sort, None, most))}
        rows = sorted(every.values(), key=lambda job: job.pk, reverse=sort.descending)[:most]
    return rows


def found(jobs: JobQuerySet, finder: Finder) -> JobQuerySet:
    """Narrowed to those with the words and those that may have none yet, where they are few enough to be sorted."""
    if finder.top.jobs <= COUNTED or not finder.most.is_known:
        return jobs
    return among(jobs, finder, min(finder.top.floor, finder.top.far))


def among(jobs: JobQuerySet, finder: Finder, fresh: UUID) -> JobQuerySet:
    """Of those that were found, of what runs, and of those from an id on."""
    return jobs.filter(Q(Among(finder.most.every)) | Q(pk__in=finder.running_there) | Q(pk__gte=fresh))


def ordering(sort: Sort) -> list[Any]:
    field = F(sort.field)
    first = field.desc(nulls_last=True) if sort.descending else field.asc(nulls_last=True)
    if sort.word not in NULLABLE:
        first = field.desc() if sort.descending else field.asc()
    tie = "-id" if sort.descending else "id"
    return [first] if sort.field == "id" else [first, tie]


def following(sort: Sort, value: Any, pk: UUID) -> Q:
    """What comes after the row with this value and id."""
    beyond = "lt" if sort.descending else "gt"
    if sort.field == "id":
        return Q(**{f"id__{beyond}": pk})
    equal = Q(**{f"id__{beyond}": pk})
    if value is None:
        return Q(**{f"{sort.field}__isnull": True}) & equal
    later = Q(**{f"{sort.field}__{beyond}": value}) | (Q(**{sort.field: value}) & equal)
    return later | Q(**{f"{sort.field}__isnull": True}) if sort.word in NULLABLE else later


def encoded(last: Job, sort: Sort) -> str:
    """The place after this row, for a person to carry: order, value and id."""
    value = None if sort.field == "id" else getattr(last, sort.field)
    plain = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(canonical([str(sort), plain, str(last.pk)])).decode().rstrip("=")


def decoded(cursor: str, sort: Sort) -> tuple[Any, UUID]:
    """Value and id of a cursor of this order; it comes from the caller, so anything may be wrong with it."""
    try:
        word, value, pk = loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if word != str(sort):
            raise InvalidCursor
        return typed(sort, value), UUID(pk)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise InvalidCursor(InvalidCursor.__doc__) from error


def typed(sort: Sort, value: Any) -> Any:
    """The value as its column has it; raises ValueError or TypeError."""
    if sort.field == "id" or (value is None and sort.word in NULLABLE):
        return None
    match sort.word:
        case "name":
            if not isinstance(value, str):
                raise TypeError
            return value
        case "failed" | "finished":
            moment = parse_datetime(value)
            if moment is None or moment.tzinfo is None or not 1970 <= moment.year < 2200:
                raise ValueError
            return moment
        case _:
            return float(value)


class TooSlow(Exception):
    """The database gave up: the filter matches too little of too much."""


@contextmanager
def bounded() -> Iterator[None]:
    """Give a list no more than LIST_SECONDS of the database. Raises TooSlow."""
    within = connection.in_atomic_block
    try:
        with transaction.atomic():
            sql.run("limit_time", milliseconds=LIST_SECONDS * 1000)
            yield
            if within:
                # else it ends with the transaction
                sql.run("limit_time", milliseconds=0)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlow from error
        raise


@dataclass(frozen=True, slots=True)
class Count:
    """How many jobs a list has: exactly, or more than COUNTED and about so many."""

    jobs: int
    is_exact: bool


def counted(jobs: JobQuerySet, finder: Finder) -> Count | None:
    """It looks at no more than COUNTED jobs. None where more cannot be said. Call it within bounded()."""
    jobs = jobs.order_by()
    if finder.only_running:
        return Count(jobs.filter(pk__in=finder.running()).count(), True)
    if finder.top.jobs <= COUNTED:
        return Count(jobs.count(), True)
    if finder.wanted is None:
        return None
    if not finder.most.is_known:
        return Count(max(finder.most.about, COUNTED + 1), False)
    if finder.is_exact:
        number = finder.most.settled + few(jobs.filter(pk__gte=finder.top.floor))
    else:
        number = few(among(jobs, finder, finder.top.floor))
    return Count(number, number <= COUNTED)


def few(jobs: JobQuerySet) -> int:
    """How many, and no more than one above COUNTED."""
    return jobs.values("pk")[: COUNTED + 1].count()


__all__ = ["Filters", "Finder", "narrowed", "parse_statuses"]
