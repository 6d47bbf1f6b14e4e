"""The event stream by real processes: brokers go away, senders are killed, and nothing is lost or overtaken."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from bench.brokers import KafkaMock, KafkaReader, SqsMock, SqsReader, Told, gathering
from bench.stream import BROKERS, Faults, make_events, newest, play, position
from jobs.models import Job, StreamPosition
from orgs.roles import KeyRole
from tests.conftest import World
from tests.factories import make_key
from tests.process import Process
from tests.processes import Fleet, patiently

pytestmark = pytest.mark.django_db(transaction=True)

# Events of moto's queue take a hundred times as long as Kafka's.
EVENTS = {"kafka": 1_000, "sqs": 240}
OUTAGES, KILLS, AWAY_SECONDS = 3, 2, 0.5
QUICK = {"SMARTQUEUE_STREAM_LEASE_SECONDS": "1", "SMARTQUEUE_STREAM_POLL_SECONDS": "0.05"}
JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def started(fleet: Fleet, sink: str, settings: dict[str, str]) -> Process:
    return fleet.manage("runstream", sink, "--from-start", **QUICK, **settings)


@pytest.mark.parametrize("sink", ["kafka", "sqs"])
def test_over_outages_and_kills_every_event_comes_in_the_order_of_its_job(
    world: World, fleet: Fleet, sink: str
) -> None:
    with BROKERS[sink]() as (broker, reader, settings):
        senders = [started(fleet, sink, settings)]

        def restart() -> None:
            senders[-1].send(signal.SIGKILL)
            senders.append(started(fleet, sink, settings))

        patiently(lambda: position(sink) >= 0)
        faults = Faults(broker.away, broker.back, restart, OUTAGES, KILLS)
        with gathering(reader) as told:
            found = play(world.org, EVENTS[sink], faults, told, sink=sink, away_seconds=AWAY_SECONDS, patience=300)
        senders[-1].send(signal.SIGTERM)
        assert senders[-1].ended() == 0

    assert found["events"] >= EVENTS[sink]
    assert (found["lost"], found["unknown"], found["out_of_order"]) == (0, 0, 0)
    assert StreamPosition.objects.get(name=sink).holder is None


WAITING_FOR_US = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


def test_one_that_is_killed_between_the_brokers_answer_and_its_note_repeats_and_loses_nothing(
    world: World, fleet: Fleet
) -> None:
    """The position cannot be moved on: the broker has all of it, and the sender dies before it can say so."""
    from tests.concurrency import elsewhere

    with BROKERS["kafka"]() as (_, reader, settings):
        first = started(fleet, "kafka", settings)
        patiently(lambda: position("kafka") >= 0)
        with gathering(reader) as told:
            with elsewhere() as other:
                other.execute("BEGIN")
                other.execute("SELECT FROM jobs_streamposition WHERE name = 'kafka' FOR UPDATE")
                make_events(world.org, 30)
                patiently(lambda: len(told) >= 1)
                first.send(signal.SIGKILL)
                first.ended()
                # its note may be with the server already, which would write it for the dead
                other.execute(WAITING_FOR_US)
                other.execute("ROLLBACK")
            before = len(told)
            started(fleet, "kafka", settings)
            patiently(lambda: position("kafka") >= newest())
            patiently(lambda: len({one.body["id"] for one in told}) == 30)
            # what the first had sent comes again, from another partition perhaps a little later
            patiently(lambda: len(told) >= 30 + before)
        assert before >= 1
        assert_in_order(told)


def assert_in_order(told: list[Told]) -> None:
    last: dict[str, int] = {}
    seen: set[str] = set()
    for one in told:
        if one.body["id"] not in seen:
            seen.add(one.body["id"])
            assert one.body["data"]["sequence"] > last.get(one.key, 0)
            last[one.key] = one.body["data"]["sequence"]


def test_of_two_one_sends_and_the_other_goes_on_when_it_is_stopped(world: World, fleet: Fleet) -> None:
    with BROKERS["kafka"]() as (_, reader, settings):
        first = started(fleet, "kafka", settings)
        patiently(lambda: "sending the stream" in first.text)
        second = started(fleet, "kafka", settings)
        with gathering(reader) as told:
            make_events(world.org, 30)
            patiently(lambda: len(told) == 30)
            assert "sending the stream" not in second.text
            first.send(signal.SIGTERM)
            assert first.ended() == 0
            make_events(world.org, 30)
            patiently(lambda: len(told) == 60)
        assert "sending the stream" in second.text


# --- and jobs that come from there ----------------------------------------------------------------------------------


def kafka_source(broker: KafkaMock, token: str) -> tuple[dict[str, str], Callable[[Any], None]]:
    import json

    import confluent_kafka

    for topic in ("jobs", "jobs.dead"):
        broker.make_topic(topic)
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap})

    def send(body: Any) -> None:
        producer.produce("jobs", body if isinstance(body, bytes) else json.dumps(body))
        producer.flush(30)

    settings = {"BOOTSTRAP": broker.bootstrap, "TOPIC": "jobs", "DEAD_TOPIC": "jobs.dead", "KEY": token}
    return {f"SMARTQUEUE_SOURCE_KAFKA_{name}": value for name, value in settings.items()}, send


def sqs_source(broker: SqsMock, token: str) -> tuple[dict[str, str], Callable[[Any], None]]:
    import json

    url, dead = broker.make_queue("wanted"), broker.make_queue("wanted-dead")

    def send(body: Any) -> None:
        text = body.decode() if isinstance(body, bytes) else json.dumps(body)
        broker.client.send_message(QueueUrl=url, MessageBody=text)

    settings = {"QUEUE_URL": url, "DEAD_QUEUE_URL": dead, "KEY": token}
    return {f"SMARTQUEUE_SOURCE_SQS_{name}": value for name, value in settings.items()}, send


@pytest.mark.parametrize("name", ["kafka", "sqs"])
def test_messages_become_jobs_once_each_over_outages_and_kills(world: World, fleet: Fleet, name: str) -> None:
    token = make_key(world.owner, world.org, KeyRole.OPERATOR)
    with BROKERS[name]() as (broker, _, account):
        settings, send = (kafka_source if name == "kafka" else sqs_source)(broker, token)
        settings |= {key: value for key, value in account.items() if key.startswith("AWS")}

        def started() -> Process:
            return fleet.manage("runsource", name, **settings)

        source = started()
        for number in range(10):
            send({"key": f"order-{number}", "job": JOB})
        patiently(lambda: Job.objects.count() == 10)
        source.send(signal.SIGKILL)
        source.ended()
        send(b"no JSON")
        for number in range(5, 20):
            # half of them again
            send({"key": f"order-{number}", "job": JOB})
        source = started()
        broker.away()
        broker.back()
        patiently(lambda: Job.objects.count() == 20)
        dead = dead_reader(broker, settings)
        with gathering(dead) as refused:
            patiently(lambda: bool(refused))
        source.send(signal.SIGTERM)
        assert source.ended() == 0

    assert {one.body for one in refused} == {"no JSON"}
    assert "parse_error" in refused[0].headers["why"]
    assert set(Job.objects.values_list("idempotency_key", flat=True)) == {f"order-{number}" for number in range(20)}


def dead_reader(broker: KafkaMock | SqsMock, settings: dict[str, str]) -> KafkaReader | SqsReader:
    if isinstance(broker, KafkaMock):
        return KafkaReader(broker.bootstrap, "jobs.dead")
    return SqsReader(broker, settings["SMARTQUEUE_SOURCE_SQS_DEAD_QUEUE_URL"])
