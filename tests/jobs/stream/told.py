"""A receiver without a broker, and what it should have been told."""

from collections.abc import Callable, Sequence

from jobs.models import Transition
from jobs.stream.events import Event


class Listed:
    """Takes what it is sent, as long as nothing stands in `trouble`."""

    name = "listed"

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.trouble: Callable[[], None] | None = None

    def send(self, events: Sequence[Event], keep: Callable[[], None]) -> None:
        keep()
        self.events += events
        if self.trouble:
            self.trouble()

    def close(self) -> None:
        """Nothing is open."""


def expected_ids() -> set[str]:
    """Of every move that was ever stored, the id of its event."""
    return {f"{job_id}.{pk}" for job_id, pk in Transition.objects.values_list("job_id", "pk")}
