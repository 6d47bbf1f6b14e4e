"""A Kafka topic as a source of jobs."""

import logging
from collections.abc import Sequence
from typing import Any

import orjson
from django.conf import settings

from jobs.api.faults import Fault
from jobs.intake.sources import Message
from jobs.stream.kafka import connection, library, new_producer
from jobs.stream.sinks import NotInstalled

log = logging.getLogger(__name__)

BATCH = 100
TAKE_SECONDS = 0.5
COMMIT_SECONDS = 10
DEAD_SECONDS = 15
# We wait as long as an organisation is over its quota, with messages in hand: that is not what a hung consumer looks
# like to Kafka, which has our heartbeats. A day is the most it knows.
POLL_INTERVAL_MILLISECONDS = 86_400_000


class NotWritten(Exception):
    """Kafka did not take a dead letter; it is tried again."""


class KafkaSource:
    name = "kafka"

    def __init__(self) -> None:
        missing = [
            f"SMARTQUEUE_{name}"
            for name in ("SOURCE_KAFKA_BOOTSTRAP", "SOURCE_KAFKA_TOPIC", "SOURCE_KAFKA_DEAD_TOPIC", "SOURCE_KAFKA_KEY")
            if not getattr(settings, name)
        ]
        if missing:
            raise NotInstalled(f"Kafka as a source of jobs needs {', '.join(missing)}")
        self.kafka = library()
        where = (settings.SOURCE_KAFKA_BOOTSTRAP, settings.SOURCE_KAFKA_CONNECTION)
        self.dead = new_producer(*where)
        self.consumer = self.kafka.Consumer(
            {
                **connection(*where),
                "group.id": settings.SOURCE_KAFKA_GROUP,
                # it is committed once the jobs are
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "max.poll.interval.ms": POLL_INTERVAL_MILLISECONDS,
            }
        )
        self.consumer.subscribe([settings.SOURCE_KAFKA_TOPIC])

    @property
    def token(self) -> str:
        return settings.SOURCE_KAFKA_KEY

    def take(self) -> list[Message]:
        found = []
        for one in self.consumer.consume(BATCH, TAKE_SECONDS):
            if one.error() is not None:
                log.warning("Kafka gave no messages", extra={"why": one.error().str()})
                continue
            where = f"kafka:{one.topic()}:{one.partition()}:{one.offset()}"
            found.append(Message(where, one.value() or b"", one))
        return found

    def keep(self, messages: Sequence[Message]) -> None:
        """They are ours as long as we are there."""

    def refuse(self, message: Message, why: Sequence[Fault]) -> None:
        """Raises NotWritten; then it may be there all the same."""
        failed: list[Any] = []
        headers = {"source-message-id": message.id, "why": orjson.dumps(list(why)).decode()}
        self.dead.produce(
            settings.SOURCE_KAFKA_DEAD_TOPIC,
            key=message.handle.key(),
            value=message.body,
            headers=headers,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        left = self.dead.flush(DEAD_SECONDS)
        if left or failed:
            self.dead.purge()
            self.dead = new_producer(settings.SOURCE_KAFKA_BOOTSTRAP, settings.SOURCE_KAFKA_CONNECTION)
            raise NotWritten(failed[0].str() if failed else "no answer")

    def done(self, messages: Sequence[Message]) -> None:
        ends: dict[tuple[str, int], int] = {}
        for message in messages:
            one = message.handle
            place = one.topic(), one.partition()
            ends[place] = max(ends.get(place, 0), one.offset() + 1)
        offsets = [self.kafka.TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        try:
            self.consumer.commit(offsets=offsets, asynchronous=False)
        except self.kafka.KafkaException as error:
            log.warning("Kafka was not told how far we are: it says again what it said", extra={"why": str(error)})

    def close(self) -> None:
        self.consumer.close()
        self.dead.purge()
