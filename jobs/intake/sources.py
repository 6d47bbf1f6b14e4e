"""What a source of jobs is to whoever submits them; and those that there are."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from jobs.api.faults import Fault

Keep = Callable[[], None]


class Message(NamedTuple):
    """One message. Its id is the same each time that it comes: the job's key where it names none."""

    id: str
    body: bytes
    # What the source knows it by.
    handle: Any


class Source(Protocol):
    name: str

    @property
    def token(self) -> str:
        """The key that all that comes from here acts with."""

    def take(self) -> list[Message]:
        """The next ones, if some come within a moment. They come again unless done() is told of them."""

    def keep(self, messages: Sequence[Message]) -> None:
        """These are still being worked on: called again and again while they wait."""

    def refuse(self, message: Message, why: Sequence[Fault]) -> None:
        """Put it where dead letters go, with what is wrong with it. It is there when this returns."""

    def done(self, messages: Sequence[Message]) -> None:
        """They need not come again. What this could not tell the broker comes again, and is known by its key."""

    def close(self) -> None: ...


def source_named(name: str) -> Source:
    """Raises jobs.stream.sinks.NotInstalled."""
    # each loads a library that is an extra
    if name == "kafka":
        from jobs.intake.kafka import KafkaSource

        return KafkaSource()
    from jobs.intake.sqs import SqsSource

    return SqsSource()
