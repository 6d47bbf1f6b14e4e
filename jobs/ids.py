"""Time-ordered ids, made by the application so that they are known before the insert."""

import os
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A UUID version 7: 48 bits of Unix milliseconds, then random (RFC 9562 §5.7)."""
    random = int.from_bytes(os.urandom(10))
    value = (time.time_ns() // 1_000_000) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def first_uuid7(moment: datetime) -> UUID:
    """The lowest id of a millisecond: where the rows of a time begin in an index of ids."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62)
