"""Time-ordered ids, made by the application so that they are known before the insert."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A UUID version 7: milliseconds, their fraction in 4096ths, then 62 random bits (RFC 9562 §5.7 and §6.2).

    With the fraction, the jobs of one bulk call are listed in the order they were sent.
    """
    return uuid7s(1)[0]


def uuid7s(count: int) -> list[UUID]:
    """So many of them, in order, with one call for all their random bits."""
    random = os.urandom(8 * count)
    return [made(time.time_ns(), int.from_bytes(random[at : at + 8])) for at in range(0, 8 * count, 8)]


def made(now_nanoseconds: int, random: int) -> UUID:
    milliseconds, nanoseconds = divmod(now_nanoseconds, 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | (random & ~(0x3 << 62)))


def first_uuid7(moment: datetime) -> UUID:
    """The lowest id of a millisecond: where the rows of a time begin in an index of ids."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
