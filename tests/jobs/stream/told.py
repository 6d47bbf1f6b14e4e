"""A receiver without a broker, and what is asked of every receiver."""

from collections.abc import Callable, Sequence
from typing import Any

from bench.brokers import Told
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


def assert_in_order(told: Sequence[Told]) -> None:
    """What came for the first time came in the order of its job."""
    seen: dict[str, int] = {}
    ids: set[str] = set()
    for one in told:
        if one.body["id"] in ids:
            continue
        ids.add(one.body["id"])
        job: dict[str, Any] = one.body["data"]["job"]
        assert one.key in ("", job["id"])
        assert one.body["data"]["sequence"] > seen.get(job["id"], 0)
        seen[job["id"]] = one.body["data"]["sequence"]
