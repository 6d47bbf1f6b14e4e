"""Where limited jobs wait, as far as a worker knows, and when it looks for them."""

import math
import time
from collections.abc import Iterable, Sequence

from jobs.queue.claim import Ask, Claimed
from jobs.queue.limits import Walk, claim_limited, limited_waiting

# Without a word of them: jobs whose retry has become due, say.
LOOK_SECONDS = 1.0


class LimitedQueues:
    """The queues in which claims of limited jobs may find something; none, and no claim is made, where there are no
    limits."""

    def __init__(self, types: Sequence[str]) -> None:
        self._types = types
        self._walks: dict[str, Walk] = {}
        self._due: dict[str, float] = {}
        self._look_at = 0.0

    def add(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._walks.setdefault(queue, Walk())
            self._due[queue] = 0.0

    def look(self, queues: Sequence[str]) -> None:
        """Once a second, whether some wait of which we were not told."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            if queues and limited_waiting(queues=queues, types=self._types):
                self.add(queues)

    def due(self) -> list[str]:
        now = time.monotonic()
        return [queue for queue, at in self._due.items() if now >= at]

    def claim(self, ask: Ask) -> list[Claimed]:
        walk = self._walks[ask.queue]
        claims = claim_limited(ask, walk)
        if walk.again_seconds is None:
            del self._walks[ask.queue], self._due[ask.queue]
        else:
            self._due[ask.queue] = time.monotonic() + walk.again_seconds
        return claims

    def seconds(self) -> float:
        """Until the next claim that may find something."""
        return max(min(self._due.values(), default=math.inf) - time.monotonic(), 0.0)
