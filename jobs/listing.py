"""Lists of jobs: the filters, orders and pages that the API and the dashboard share. Paged by key, never by offset."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, transaction
from django.db.models import CharField, F, Q
from django.db.models.functions import Cast
from django.utils.dateparse import parse_datetime
from psycopg.errors import QueryCanceled

from jobs import states
from jobs.ids import first_uuid7
from jobs.models import Job, JobQuerySet
from jobs.queue import sql
from jobs.queue.enqueue import canonical
from jobs.states import Status
from jobs.strict_json import loads

ID_END = re.compile(r"[0-9a-f]{6,12}")
# created_at is the database's clock, the time in an id the application's: they differ by far less than this
ID_SLACK = timedelta(days=1)
LIST_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; all that are set must hold."""

    statuses: tuple[Status, ...] = ()
    type: str = ""
    queue: str = ""
    urgency: str = ""
    category: str = ""
    creator: str = ""
    name: str = ""
    correlation_id: str = ""
    error_type: str = ""
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    text: str = ""
    batch: UUID | None = None


def parse_statuses(words: Iterable[str]) -> tuple[Status, ...]:
    """The statuses that these words name, the compatible ones included; raises ValueError."""
    return tuple(dict.fromkeys(status for word in words for status in states.parse(word)))


def narrowed(jobs: JobQuerySet, filters: Filters) -> JobQuerySet:
    """The jobs that pass all filters."""
    if filters.statuses:
        jobs = jobs.in_status(*filters.statuses)
    for name in ("type", "queue", "urgency", "category", "name", "correlation_id", "error_type"):
        if value := getattr(filters, name):
            jobs = jobs.filter(**{name: value})
    if filters.batch:
        jobs = jobs.filter(batch_id=filters.batch)
    if filters.creator:
        jobs = jobs.filter(created_by__username__iexact=filters.creator)
    if filters.created_after:
        # the second condition is what the index of the list can use
        jobs = jobs.filter(created_at__gte=filters.created_after, pk__gte=first_uuid7(filters.created_after - ID_SLACK))
    if filters.created_before:
        jobs = jobs.filter(created_at__lt=filters.created_before)
    if filters.finished_after:
        jobs = jobs.filter(finished_at__gte=filters.finished_after)
    if filters.finished_before:
        jobs = jobs.filter(finished_at__lt=filters.finished_before)
    return with_text(jobs, filters.text) if filters.text else jobs


def with_text(jobs: JobQuerySet, text: str) -> JobQuerySet:
    """Jobs that say this in a name, title, description or error, or whose id (or its end) it is."""
    try:
        return jobs.filter(Q(pk=UUID(text)) | Q(correlation_id=text))
    except ValueError:
        pass
    found = Q(correlation_id=text)
    for name in ("name", "title", "description", "error", "error_type"):
        found |= Q(**{f"{name}__icontains": text})
    if ID_END.fullmatch(text.lower()):
        jobs = jobs.annotate(id_text=Cast("pk", CharField()))
        found |= Q(id_text__endswith=text.lower())
    return jobs.filter(found)


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


def page(jobs: JobQuerySet, *, size: int, sort: Sort = NEWEST, cursor: str = "") -> JobPage:
    """The `size` jobs that follow the cursor. Raises InvalidCursor."""
    if sort.word == "failed":
        jobs = jobs.dead_letters()
    if cursor:
        jobs = jobs.filter(following(sort, *decoded(cursor, sort)))
    rows = list(jobs.order_by(*ordering(sort))[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return JobPage(rows, encoded(rows[-1], sort) if more else None)


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
    try:
        with transaction.atomic():
            sql.run("limit_time", milliseconds=LIST_SECONDS * 1000)
            yield
            sql.run("limit_time", milliseconds=0)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise TooSlow from error
        raise
