"""Token buckets in the database, by its clock: exact, however many processes take from them at once.

A bucket is one row with one time: when it will be full again. To take tokens puts that off, and may be done while it is
no further off than the bucket is deep. A bucket that is full needs no row. docs/decisions/0017-rate-limits.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psycopg
from django.db import connection

# Sorted, so that two statements that take from the same buckets lock them in one order. DO UPDATE reads the row under
# its lock, as it was committed last: of calls at the same moment each counts, whatever this statement saw as it began.
TAKE = b"""
WITH asked AS (
    SELECT * FROM unnest(%s::text[], %s::float8[], %s::float8[], %s::float8[])
           AS one (name, cost_seconds, least_seconds, burst_seconds)
), taken AS (
    INSERT INTO orgs_ratebucket AS bucket (name, full_at)
    SELECT name, clock_timestamp() + make_interval(secs => cost_seconds) FROM asked ORDER BY name
    ON CONFLICT (name) DO UPDATE
    SET full_at = greatest(bucket.full_at, clock_timestamp())
                  + (SELECT make_interval(secs => cost_seconds) FROM asked WHERE asked.name = excluded.name)
    -- a millisecond for what many roundings come to
    WHERE bucket.full_at <= clock_timestamp() + (
        SELECT make_interval(secs => burst_seconds - least_seconds + 0.001) FROM asked WHERE asked.name = excluded.name)
    RETURNING name, full_at
)
SELECT asked.name, taken.name IS NOT NULL,
       greatest(coalesce(date_part('epoch', coalesce(taken.full_at, known.full_at) - clock_timestamp()), 0), 0)
FROM asked
LEFT JOIN taken ON taken.name = asked.name
LEFT JOIN orgs_ratebucket AS known ON known.name = asked.name
"""
FORGET = """
DELETE FROM orgs_ratebucket
WHERE name = ANY (ARRAY(
    SELECT name FROM orgs_ratebucket WHERE full_at < clock_timestamp() LIMIT %s FOR UPDATE SKIP LOCKED))
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` in `seconds`, coming back steadily; after a rest up to `burst` at once."""

    count: int
    seconds: float
    burst: int

    @property
    def each(self) -> float:
        """Seconds in which one comes back."""
        return self.seconds / self.count


class Take(NamedTuple):
    """`cost` tokens of the bucket that this subject has under this policy.

    More than it holds is let pass while it is full, and then owed: a call with many jobs is not refused for ever.
    """

    policy: str
    subject: str
    rate: Rate
    cost: int = 1

    @property
    def bucket(self) -> str:
        return f"{self.policy}:{self.subject}"


class Taken(NamedTuple):
    """What became of a take, and how many are left; in seconds, when all are there again and when those asked for."""

    policy: str
    rate: Rate
    admitted: bool
    left: int
    full_in: float
    wait: float


def take(takes: Sequence[Take]) -> list[Taken]:
    """One statement for all of them. Each bucket is asked for itself: where one refuses, the others have paid."""
    seconds = [(one.cost * one.rate.each, min(one.cost, one.rate.burst) * one.rate.each) for one in takes]
    rows = asked(
        [one.bucket for one in takes],
        [cost for cost, _ in seconds],
        [least for _, least in seconds],
        [one.rate.burst * one.rate.each for one in takes],
    )
    found = {name: (admitted, full_in) for name, admitted, full_in in rows}
    return [outcome(one, *found[one.bucket]) for one in takes]


def asked(*arrays: list[str] | list[float]) -> list[tuple[str, bool, float]]:
    # for some requests it is the first statement: the connection of an earlier one may have been lost since
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(TAKE, arrays, prepare=True).fetchall()


def outcome(asked: Take, admitted: bool, full_in: float) -> Taken:
    rate = asked.rate
    # what was there may be less than it was a moment ago: of a refusal nothing is left
    left = max(int(rate.burst - full_in / rate.each + 0.001), 0) if admitted else 0
    wait = 0.0 if admitted else full_in - (rate.burst - min(asked.cost, rate.burst)) * rate.each
    return Taken(asked.policy, rate, admitted, left, full_in, max(wait, 0.0))


def give_back(policy: str, subject: str) -> None:
    """Fill a bucket."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM orgs_ratebucket WHERE name = %s", [f"{policy}:{subject}"])


def forget_full(batch: int) -> bool:
    """Delete the rows of buckets that are full, a bounded batch; whether there are more."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [batch])
        return bool(cursor.rowcount == batch)
