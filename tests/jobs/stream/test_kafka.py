"""Kafka as a receiver, on librdkafka's own mock cluster: over outages and refusals nothing is lost or overtaken."""

import builtins
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from bench.brokers import KafkaMock, KafkaReader, Told
from jobs.processes.streamer import Stopped
from jobs.stream.events import Event
from jobs.stream.kafka import KafkaSink
from jobs.stream.sinks import NotInstalled, sink_named
from tests.concurrency import Background
from tests.eventually import eventually

numbers = count(1)
TOO_LARGE, NOT_ENOUGH_REPLICAS = 10, 19


def made(jobs: int, each: int) -> list[Event]:
    """So many events of so many jobs, all mixed."""
    return [
        Event(f"job{job}.{number}", "job.queued", number, f"job{job}", "acme", b'{"n": %d}' % number)
        for number in range(1, each + 1)
        for job in range(jobs)
    ]


@pytest.fixture
def topic(kafka_broker: KafkaMock, settings: Settings) -> str:
    settings.STREAM_KAFKA_BOOTSTRAP = kafka_broker.bootstrap
    settings.STREAM_KAFKA_TOPIC = f"moves{next(numbers)}"
    kafka_broker.make_topic(settings.STREAM_KAFKA_TOPIC)
    return str(settings.STREAM_KAFKA_TOPIC)


@pytest.fixture
def sink(topic: str) -> Iterator[KafkaSink]:
    sink = KafkaSink()
    yield sink
    sink.close()


def all_told(broker: KafkaMock, topic: str, most: int) -> list[Told]:
    reader, found = KafkaReader(broker.bootstrap, topic), list[Told]()

    def more() -> bool:
        found.extend(reader.more())
        return len(found) >= most

    try:
        eventually(more, within_seconds=60)
        return found
    finally:
        reader.close()


def firsts(told: list[Told]) -> dict[str, list[int]]:
    """Of each job the numbers of its events, repeats aside, as they came."""
    found: dict[str, list[int]] = {}
    for one in told:
        numbers = found.setdefault(one.key, [])
        if one.body["n"] not in numbers:
            numbers.append(one.body["n"])
    return found


def keep() -> None:
    """It is still ours."""


def test_each_event_is_there_once_in_the_order_of_its_job(kafka_broker: KafkaMock, topic: str, sink: KafkaSink) -> None:
    sink.send(made(jobs=7, each=30), keep)

    told = all_told(kafka_broker, topic, 210)
    assert len(told) == 210
    assert firsts(told) == {f"job{job}": list(range(1, 31)) for job in range(7)}
    assert told[0].headers == {
        "event-id": f"{told[0].key}.{told[0].body['n']}",
        "event-type": "job.queued",
        "org": "acme",
        "event-sequence": str(told[0].body["n"]),
    }


def test_an_outage_is_waited_out(kafka_broker: KafkaMock, topic: str, sink: KafkaSink) -> None:
    kafka_broker.away()
    try:
        kept = count()
        sending = Background(lambda: sink.send(made(jobs=3, each=20), lambda: next(kept) and None))
        eventually(lambda: next(kept) > 10, within_seconds=60)
        assert sending.waits
        kafka_broker.back()
        sending.result(60)
    finally:
        kafka_broker.back()

    assert firsts(all_told(kafka_broker, topic, 60)) == {f"job{job}": list(range(1, 21)) for job in range(3)}


@pytest.mark.parametrize("code", [TOO_LARGE, NOT_ENOUGH_REPLICAS])
def test_what_is_refused_is_sent_again_before_what_comes_after_it(
    kafka_broker: KafkaMock, topic: str, sink: KafkaSink, code: int
) -> None:
    sink.send(made(jobs=1, each=1), keep)
    kafka_broker.fail_produce([code, code])

    sink.send(made(jobs=3, each=20), keep)

    found = firsts(all_told(kafka_broker, topic, 61))
    assert found == {f"job{job}": list(range(1, 21)) for job in range(3)}


def test_what_is_not_ours_any_more_is_not_sent_later(kafka_broker: KafkaMock, topic: str, sink: KafkaSink) -> None:
    def lost() -> None:
        raise Stopped

    kafka_broker.away()
    try:
        with pytest.raises(Stopped):
            sink.send(made(jobs=1, each=20), lost)
    finally:
        kafka_broker.back()
    sink.send([Event("later.1", "job.queued", 1, "later", "acme", b'{"n": 1}')], keep)

    assert list(firsts(all_told(kafka_broker, topic, 1))) == ["later"]


def test_without_a_broker_named_or_the_extra_installed_it_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STREAM_KAFKA_BOOTSTRAP = ""
    with pytest.raises(NotInstalled, match="SMARTQUEUE_STREAM_KAFKA_BOOTSTRAP"):
        sink_named("kafka")
    settings.STREAM_KAFKA_BOOTSTRAP = "127.0.0.1:1"
    settings.STREAM_KAFKA_CONNECTION = {"nonsense": "1"}
    with pytest.raises(NotInstalled, match="nonsense"):
        sink_named("kafka")
    really = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name == "confluent_kafka":
            raise ImportError(name)
        return really(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(NotInstalled, match=r"requirements-kafka\.txt"):
        sink_named("kafka")
