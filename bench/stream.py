"""Changes of jobs to Kafka and SQS over outages: what is lost, what is repeated, and whether each job's order is kept.

Real processes of `manage.py runstream`, brokers on loopback. Also what tests/scenarios/test_event_stream.py plays, with
fewer events.
"""

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from bench import cluster, machine, results
from bench.brokers import AWS_ACCOUNT, KafkaMock, KafkaReader, SqsMock, SqsReader, Told, gathering

ABOUT = (
    "EVENTS changes of jobs (queued, running, done or failed) while a broker goes away OUTAGES times and its sender is "
    "killed KILLS times; librdkafka's mock cluster with 4 partitions, moto's server with a FIFO queue; every event "
    "that the database has is looked for among what a receiver read"
)
EVENTS, OUTAGES, KILLS = 10_000, 5, 5
AWAY_SECONDS = 2.0
TOPIC, QUEUE_NAME = "smartqueue.jobs", "jobs.fifo"
# Quick to take over, so that a killed sender costs seconds.
LEASE_SECONDS = 3
PATIENCE_SECONDS = 1_800.0
JOBS_AT_A_TIME = 100
WORKER = UUID("018f0000-0000-7000-8000-000000000001")


@dataclass
class Faults:
    """What happens while events come, evenly spread over them."""

    away: Callable[[], None]
    back: Callable[[], None]
    restart: Callable[[], None]
    outages: int
    kills: int
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def plan(self) -> list[str]:
        planned = ["outage"] * self.outages + ["kill"] * self.kills
        self.rng.shuffle(planned)
        return planned

    def happen(self, what: str, meanwhile: Callable[[], None], away_seconds: float) -> None:
        """`meanwhile` brings events that come while it lasts."""
        if what == "kill":
            meanwhile()
            self.restart()
            return
        self.away()
        try:
            meanwhile()
            time.sleep(away_seconds)
        finally:
            self.back()


def play(
    org: Any,
    events: int,
    faults: Faults,
    told: list[Told],
    *,
    sink: str,
    away_seconds: float = AWAY_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> dict[str, Any]:
    """Make so many events, with faults among them, wait until all were acknowledged, and compare."""
    planned = faults.plan()
    before, made, begun = newest(), 0, time.monotonic()
    piece = -(-events // (len(planned) + 1))
    for what in [*planned, ""]:
        upto = min(made + piece, events)
        if not what:
            make_events(org, upto - made)
        else:
            half = (upto - made) // 2
            make_events(org, half)
            faults.happen(what, partial(make_events, org, upto - made - half), away_seconds)
        made = upto
    wait_until(lambda: position(sink) >= newest(), "the sender", patience)
    wanted = ids_after(before)
    wait_until(lambda: len({one.body["id"] for one in list(told)} & wanted) == len(wanted), "the reader", patience)
    seconds = time.monotonic() - begun
    return {
        "events": len(wanted),
        "outages": faults.outages,
        "kills": faults.kills,
        **compared(wanted, told),
        "seconds": round(seconds, 1),
    }


def compared(wanted: set[str], told: list[Told]) -> dict[str, int]:
    """What a receiver lacks, what it was told twice, and how often an event came before an earlier one of its job."""
    seen: set[str] = set()
    last: dict[str, int] = {}
    out_of_order = repeated = 0
    for one in told:
        event, job, sequence = one.body["id"], one.body["data"]["job"]["id"], one.body["data"]["sequence"]
        if event in seen:
            repeated += 1
            continue
        seen.add(event)
        out_of_order += sequence < last.get(job, 0)
        last[job] = sequence
    return {
        "lost": len(wanted - seen),
        "unknown": len(seen - wanted),
        "repeated": repeated,
        "out_of_order": out_of_order,
    }


def make_events(org: Any, events: int) -> None:
    """About as many, never fewer: each job is queued, taken and ended, one in ten as a dead letter."""
    from jobs.queue.claim import claim
    from jobs.queue.enqueue import NewJob, enqueue_many
    from jobs.queue.finish import finish

    new = NewJob(type="http", payload={"url": "https://example.com/"})
    left = events
    while left > 0:
        jobs = max(min(JOBS_AT_A_TIME, left // 3), 1)
        for outcome in enqueue_many([new] * jobs, org=org, user=None):
            if isinstance(outcome, Exception):
                raise outcome
        taken = claim(queue="default", types=["http"], slots=jobs, worker_id=WORKER, worker_name="bench-1")
        finish([ended(one, fails=place % 10 == 0) for place, one in enumerate(taken)], worker_name="bench-1")
        left -= 3 * jobs


def ended(claimed: Any, *, fails: bool) -> Any:
    from jobs.queue.finish import Ended
    from jobs.states import Outcome

    if fails:
        return Ended(claimed, Outcome.ERROR, error_type="Broken", error="as planned", permanent=True)
    return Ended(claimed, Outcome.DONE, result=3)


def newest() -> int:
    from jobs.models import Transition

    found = Transition.objects.order_by("pk").values_list("pk", flat=True).last()
    return found or 0


def ids_after(number: int) -> set[str]:
    from jobs.models import Transition

    rows = Transition.objects.filter(pk__gt=number).values_list("job_id", "pk")
    return {f"{job_id}.{pk}" for job_id, pk in rows}


def position(sink: str) -> int:
    from jobs.models import StreamPosition

    found = StreamPosition.objects.filter(name=sink).values_list("position", flat=True).first()
    return -1 if found is None else found


def wait_until(true: Callable[[], bool], who: str, patience: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{who} did not come to the end")
        time.sleep(0.1)


@contextmanager
def kafka() -> Iterator[tuple[KafkaMock, KafkaReader, dict[str, str]]]:
    """The broker, a reader of its topic, and the settings of a sender."""
    broker = KafkaMock()
    broker.make_topic(TOPIC)
    try:
        settings = {"SMARTQUEUE_STREAM_KAFKA_BOOTSTRAP": broker.bootstrap, "SMARTQUEUE_STREAM_KAFKA_TOPIC": TOPIC}
        yield broker, KafkaReader(broker.bootstrap, TOPIC), settings
    finally:
        broker.close()


@contextmanager
def sqs() -> Iterator[tuple[SqsMock, SqsReader, dict[str, str]]]:
    broker = SqsMock()
    try:
        url = broker.make_queue(QUEUE_NAME)
        yield broker, SqsReader(broker, url), {"SMARTQUEUE_STREAM_SQS_QUEUE_URL": url, **AWS_ACCOUNT}
    finally:
        broker.close()


BROKERS: dict[str, Callable[[], Any]] = {"kafka": kafka, "sqs": sqs}


def main() -> None:
    with cluster.running() as server:
        facts = machine.facts()
        # not before there is a server for Django
        from bench.ours.stage import Stage

        stage = Stage(server)
        found = {sink: measure(stage, sink) for sink in BROKERS}
    sizes = {"EVENTS": EVENTS, "OUTAGES": OUTAGES, "KILLS": KILLS, "AWAY_SECONDS": AWAY_SECONDS}
    results.write("stream", {"about": ABOUT, **facts, "sizes": sizes, "figures": found})
    print(json.dumps(found, indent=2))


def measure(stage: Any, sink: str) -> dict[str, Any]:
    from orgs.models import Org

    stage.fresh()
    org, _ = Org.objects.get_or_create(slug="stream", defaults={"name": "Stream"})
    with ExitStack() as running, BROKERS[sink]() as (broker, reader, settings):
        senders = Senders(stage, sink, settings, running)
        senders.start()
        wait_until(lambda: position(sink) >= 0, "the sender")
        faults = Faults(broker.away, broker.back, senders.restart, OUTAGES, KILLS)
        with gathering(reader) as told:
            return play(org, EVENTS, faults, told, sink=sink)


class Senders:
    """Processes of runstream, one after the other."""

    def __init__(self, stage: Any, sink: str, settings: dict[str, str], running: ExitStack) -> None:
        self.stage, self.sink, self.running = stage, sink, running
        self.settings = {**settings, "SMARTQUEUE_STREAM_LEASE_SECONDS": str(LEASE_SECONDS)}
        self.pid = 0

    def start(self) -> None:
        command = self.stage.manage("runstream", self.sink, "--from-start", **self.settings)
        (self.pid,) = self.running.enter_context(command)

    def restart(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.start()
