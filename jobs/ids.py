"""Time-ordered ids, made by the application so that they are known before the insert."""

import os
import time
from datetime import datetime
from uuid import UUID

# As long as a 4096th of a millisecond, or longer.
TICK_NANOSECONDS = 245


def uuid7() -> UUID:
    """A UUID version 7: milliseconds, their fraction in 4096ths, then 62 random bits (RFC 9562 §5.7 and §6.2).

    With the fraction, the jobs of one bulk call are listed in the order they were sent.
    """
    return uuid7s(1)[0]


def uuid7s(count: int) -> list[UUID]:
    """So many of them, each above the last, with one call for all their random bits and one look at the clock."""
    now, random = time.time_ns(), os.urandom(8 * count)
    return [made(now + i * TICK_NANOSECONDS, int.from_bytes(random[8 * i : 8 * i + 8])) for i in range(count)]


def made(now_nanoseconds: int, random: int) -> UUID:
    milliseconds, nanoseconds = divmod(now_nanoseconds, 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | (random & ~(0x3 << 62)))


def first_uuid7(moment: datetime) -> UUID:
    """The lowest id of a millisecond: where the rows of a time begin in an index of ids."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
