"""Whose turn it is when many workers hear of the same few jobs at once."""

import zlib
from collections.abc import Sequence
from uuid import UUID

# One claim's time: by then the one whose turn it was has taken what there was, or was busy.
STEP_SECONDS = 0.002
LONGEST_SECONDS = 0.05


class Turns:
    """All workers put the word of a notification to the same use: it says with whom the round begins. As many as there
    are jobs come at once, the others one after the other behind them: a job is not claimed by a crowd, and when the
    first ones are busy the next are there milliseconds later."""

    def __init__(self) -> None:
        self._place, self._peers = 0, 1

    def seat(self, own: UUID, peers: Sequence[UUID]) -> None:
        """Who hears the same notifications, this worker among them, in an order that is the same for all."""
        self._peers = max(len(peers), 1)
        self._place = peers.index(own) if own in peers else 0

    def seconds(self, word: str, jobs: int) -> float:
        """How long to leave the jobs of this notification to others."""
        behind = (self._place - zlib.crc32(word.encode())) % self._peers
        return min(max(behind - jobs + 1, 0) * STEP_SECONDS, LONGEST_SECONDS)
