"""What a receiver of the stream is to its sender; and those that there are."""

from collections.abc import Callable, Sequence
from typing import Protocol

from jobs.stream.events import Event

Keep = Callable[[], None]


class NotInstalled(Exception):
    """What speaks to a broker is not installed here, or the broker is not named; the message says what to do."""


class Sink(Protocol):
    name: str

    def send(self, events: Sequence[Event], keep: Keep) -> None:
        """Return once the broker has acknowledged all of them; until then try, however long it is away.

        Of one job each is acknowledged before, or sent in one order with, the next. `keep` is called every second or
        sooner; what it raises ends this, and nothing that is not on its way by then is sent any more.
        """

    def close(self) -> None: ...


def sink_named(name: str) -> Sink:
    """Raises NotInstalled."""
    # each loads a library that is an extra
    if name == "kafka":
        from jobs.stream.kafka import KafkaSink

        return KafkaSink()
    from jobs.stream.sqs import SqsSink

    return SqsSink()
