"""Time-ordered ids, made by the application so that they are known before the insert."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A UUID version 7: milliseconds, their fraction in 4096ths, then 62 random bits (RFC 9562 §5.7 and §6.2).

    With the fraction, the jobs of one bulk call are listed in the order they were sent.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) & ~(0x3 << 62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def first_uuid7(moment: datetime) -> UUID:
    """The lowest id of a millisecond: where the rows of a time begin in an index of ids."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
