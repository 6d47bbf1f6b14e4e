"""SQS as a receiver, on moto's server: what is not taken is sent again, and nothing of its job before it."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from bench.brokers import SqsMock, SqsReader, Told
from jobs.processes.streamer import Stopped
from jobs.stream import patience as patience_module
from jobs.stream.sinks import NotInstalled, sink_named
from jobs.stream.sqs import SqsSink, client, next_batch
from tests.jobs.stream.test_kafka import firsts, keep, made

numbers = count(1)


@pytest.fixture
def queue(sqs_broker: SqsMock, settings: Settings) -> str:
    settings.STREAM_SQS_QUEUE_URL = sqs_broker.make_queue(f"moves{next(numbers)}.fifo")
    return str(settings.STREAM_SQS_QUEUE_URL)


@pytest.fixture
def sink(queue: str) -> Iterator[SqsSink]:
    sink = SqsSink()
    yield sink
    sink.close()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience_module, "LONGEST_SECONDS", 0.05)


def all_told(broker: SqsMock, queue: str) -> list[Told]:
    reader, found = SqsReader(broker, queue), list[Told]()
    while more := reader.more():
        found += more
    reader.close()
    return found


def test_each_event_is_there_once_in_the_order_of_its_job(sqs_broker: SqsMock, queue: str, sink: SqsSink) -> None:
    sink.send(made(jobs=7, each=5), keep)

    told = all_told(sqs_broker, queue)
    assert len(told) == 35
    assert firsts(told) == {f"job{job}": list(range(1, 6)) for job in range(7)}
    assert told[0].headers["event-id"] == f"{told[0].key}.{told[0].body['n']}"


def test_what_is_sent_twice_is_there_once(sqs_broker: SqsMock, queue: str, sink: SqsSink) -> None:
    """By its MessageDeduplicationId, as long as SQS remembers it."""
    sink.send(made(jobs=3, each=2), keep)
    sink.send(made(jobs=3, each=2), keep)

    assert len(all_told(sqs_broker, queue)) == 6


@pytest.mark.usefixtures("hasty")
def test_an_outage_is_waited_out(sqs_broker: SqsMock, queue: str, sink: SqsSink) -> None:
    asked = count()

    def back_after_some_time() -> None:
        if next(asked) == 6:
            sqs_broker.back()

    sqs_broker.away()
    sink.send(made(jobs=3, each=4), back_after_some_time)

    assert next(asked) > 7
    assert firsts(all_told(sqs_broker, queue)) == {f"job{job}": [1, 2, 3, 4] for job in range(3)}


@pytest.mark.usefixtures("hasty")
def test_of_a_batch_that_is_taken_in_part_the_rest_is_sent_again_in_order(
    sqs_broker: SqsMock, queue: str, sink: SqsSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every other call takes all but the first of its entries."""
    calls = count()
    really = sink.client.send_message_batch

    def in_part(**asked: Any) -> Any:
        if next(calls) % 2 == 1 or len(asked["Entries"]) == 1:
            return really(**asked)
        first, *rest = asked["Entries"]
        answer = really(**{**asked, "Entries": rest})
        return {**answer, "Failed": [{"Id": first["Id"], "Code": "InternalError", "Message": "", "SenderFault": False}]}

    monkeypatch.setattr(sink.client, "send_message_batch", in_part)
    sink.send(made(jobs=3, each=4), keep)

    assert firsts(all_told(sqs_broker, queue)) == {f"job{job}": [1, 2, 3, 4] for job in range(3)}


def test_a_batch_has_one_event_of_a_job_at_most() -> None:
    batch = next_batch(made(jobs=4, each=9))
    assert [event.id for event in batch] == [f"job{job}.1" for job in range(4)]
    assert len(next_batch(made(jobs=40, each=2))) == 10


def test_it_ends_while_it_waits_when_it_is_told_to(sqs_broker: SqsMock, sink: SqsSink) -> None:
    asked = count()

    def stop() -> None:
        if next(asked) == 3:
            raise Stopped

    sqs_broker.away()
    try:
        with pytest.raises(Stopped):
            sink.send(made(jobs=1, each=1), stop)
    finally:
        sqs_broker.back()


def test_a_queue_without_order_takes_them_too_and_that_is_said(
    sqs_broker: SqsMock, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.STREAM_SQS_QUEUE_URL = sqs_broker.make_queue("plain")
    sink = SqsSink()
    sink.send(made(jobs=2, each=3), keep)
    sink.close()

    assert sorted(one.body["n"] for one in all_told(sqs_broker, settings.STREAM_SQS_QUEUE_URL)) == [1, 1, 2, 2, 3, 3]
    assert "the order of events is not kept" in caplog.text


@pytest.mark.parametrize(
    ("url", "asked", "region"),
    [
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/moves.fifo", "", "eu-central-1"),
        ("https://sqs.eu-central-1.amazonaws.com/123456789012/moves.fifo", "eu-west-1", "eu-west-1"),
        ("http://127.0.0.1:9324/queue/moves.fifo", "", "us-east-1"),
    ],
)
def test_the_region_is_that_of_the_address(sqs_broker: SqsMock, url: str, asked: str, region: str) -> None:
    made = client(url, asked)
    assert made.meta.region_name == region
    assert url.startswith(made.meta.endpoint_url)
    made.close()


def test_without_a_queue_named_it_says_what_to_do(settings: Settings) -> None:
    settings.STREAM_SQS_QUEUE_URL = ""
    with pytest.raises(NotInstalled, match="SMARTQUEUE_STREAM_SQS_QUEUE_URL"):
        sink_named("sqs")
