"""Many jobs in calls that the server takes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

MOST_JOBS = 1_000
# The server takes 12 MB; the rest is for what stands around the jobs.
MOST_BYTES = 10_000_000


def in_parts(jobs: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As many at a time as one call may have."""
    part: list[dict[str, Any]] = []
    size = 0
    for job in jobs:
        more = len(json.dumps(job)) + 2
        if part and (len(part) == MOST_JOBS or size + more > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(job)
        size += more
    if part:
        yield part
