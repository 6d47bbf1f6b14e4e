"""Kafka as a receiver of the stream, by librdkafka."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from django.conf import settings

from jobs.stream.events import Event
from jobs.stream.patience import Patience
from jobs.stream.sinks import Keep, NotInstalled

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
# While it is away librdkafka asks this often, at least and at most.
RECONNECT_MILLISECONDS, RECONNECT_MAX_MILLISECONDS = 100, 5_000


def library() -> Any:
    """Raises NotInstalled."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise NotInstalled("Kafka needs confluent-kafka: pip install -r requirements-kafka.txt") from error
    return confluent_kafka


def connection(bootstrap: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """How a broker is reached, for producers and consumers."""
    return {
        **options,
        "bootstrap.servers": bootstrap,
        "client.id": "smartqueue",
        "reconnect.backoff.ms": RECONNECT_MILLISECONDS,
        "reconnect.backoff.max.ms": RECONNECT_MAX_MILLISECONDS,
        "logger": log,
    }


def new_producer(bootstrap: str, options: Mapping[str, Any]) -> Any:
    """One that writes each message once and in order, over reconnects too, or fails with all that come after it.

    Raises NotInstalled for options that librdkafka does not know.
    """
    kafka = library()
    ours = {
        "enable.idempotence": True,
        "acks": "all",
        # a message that cannot be written is not passed over by the next
        "enable.gapless.guarantee": True,
        # it is we who give up, with all of them at once: one alone that times out would be overtaken
        "message.timeout.ms": 0,
        "linger.ms": 5,
    }
    try:
        return kafka.Producer({**connection(bootstrap, options), **ours})
    except kafka.KafkaException as error:
        raise NotInstalled(f"Kafka: {error.args[0].str()}") from error


class KafkaSink:
    name = "kafka"

    def __init__(self) -> None:
        if not settings.STREAM_KAFKA_BOOTSTRAP:
            raise NotInstalled("SMARTQUEUE_STREAM_KAFKA_BOOTSTRAP must name the brokers: host:port,host:port")
        self.patience = Patience()
        self.producer = self.open()

    def open(self) -> Any:
        return new_producer(settings.STREAM_KAFKA_BOOTSTRAP, settings.STREAM_KAFKA_CONNECTION)

    def send(self, events: Sequence[Event], keep: Keep) -> None:
        left = list(events)
        while left:
            try:
                acknowledged, why = self.passed_on(left, keep)
            except BaseException:
                # whoever takes over sends them: ours must not come in between
                self.close()
                raise
            left = left[acknowledged:]
            if left:
                log.warning("Kafka took no more events, trying again", extra={"left": len(left), "why": why})
                self.close()
                self.patience.wait(keep)
            else:
                self.patience.over()

    def passed_on(self, events: Sequence[Event], keep: Keep) -> tuple[int, str]:
        """How many, from the first on, were acknowledged; and why not more."""
        if self.producer is None:
            self.producer = self.open()
        outcome = Outcome(len(events))
        kafka = library()
        try:
            for index, event in enumerate(events):
                self.produce(event, outcome.of(index))
            while outcome.open and not outcome.why:
                self.producer.poll(POLL_SECONDS)
                keep()
        except (kafka.KafkaException, BufferError) as error:
            outcome.why = str(error)
        return outcome.acknowledged, outcome.why

    def produce(self, event: Event, report: Callable[[Any, Any], None]) -> None:
        self.producer.produce(
            settings.STREAM_KAFKA_TOPIC,
            # what is of one job is in one partition, and so in order
            key=event.job_id,
            value=event.body,
            headers=event.about,
            on_delivery=report,
        )

    def close(self) -> None:
        """Nothing more is sent of what was not acknowledged."""
        producer, self.producer = self.producer, None
        if producer is not None:
            # one that has failed for good sends nothing more, and says so again
            with suppress(library().KafkaException):
                producer.purge()
                producer.poll(0)


class Outcome:
    """What became of messages that were given to librdkafka together."""

    def __init__(self, count: int) -> None:
        self.done = [False] * count
        self.open = count
        self.why = ""

    def of(self, index: int) -> Callable[[Any, Any], None]:
        return partial(self.report, index)

    def report(self, index: int, error: Any, message: Any) -> None:
        self.open -= 1
        self.done[index] = error is None
        if error is not None and not self.why:
            self.why = error.str()

    @property
    def acknowledged(self) -> int:
        """Up to the first that was not."""
        return next((index for index, done in enumerate(self.done) if not done), len(self.done))
