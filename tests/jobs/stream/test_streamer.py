"""The stream without a broker: what is told, from where, by whom, and what is never passed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from jobs.errors import StreamLost
from jobs.models import StreamPosition, Transition
from jobs.processes import loop as loop_module
from jobs.processes.streamer import Streamer
from jobs.queue.change import change
from jobs.states import Outcome
from jobs.stream.lag import lag_metrics, lags
from jobs.stream.position import Hold
from orgs.scope import find_scope
from smartqueue.programs import BASE_DIR
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import browser, claim_all, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.search.test_index import MOVE
from tests.jobs.stream.told import Listed, expected_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]


made: list[Streamer] = []


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loop_module, "RECOVERY_SECONDS", 0.01)
    yield
    while made:
        made.pop().close_sockets()


def from_start(sink: Listed | None = None, *, start: bool = True) -> Streamer:
    made.append(Streamer(sink or Listed(), from_start=start))
    return made[-1]


def send_all(streamer: Streamer) -> list[Any]:
    """All that is committed."""

    def through() -> bool:
        streamer.step()
        newest = Transition.objects.order_by("pk").last()
        stored = StreamPosition.objects.filter(name="listed").first()
        return stored is not None and (newest is None or stored.position >= newest.pk)

    eventually(through, within_seconds=60)
    return [json.loads(event.body) for event in streamer.sink.events]  # type: ignore[attr-defined]


def test_each_move_is_an_event_in_the_envelope_of_webhooks(world: World) -> None:
    job = make_done(world.org, title="the sum")

    told = send_all(from_start())

    assert [one["type"] for one in told] == ["job.queued", "job.running", "job.done"]
    moves = list(Transition.objects.filter(job_id=job.pk).order_by("pk"))
    assert [one["id"] for one in told] == [f"{job.pk}.{move.pk}" for move in moves]
    assert [one["timestamp"] for one in told] == [f"{move.at:%Y-%m-%dT%H:%M:%S.%fZ}" for move in moves]
    last = told[-1]["data"]
    assert (last["org"], last["sequence"]) == ("acme", moves[-1].pk)
    assert last["job"] == {
        "id": str(job.pk),
        "type": "python",
        "name": job.name,
        "title": "the sum",
        "queue": "default",
        "status": "done",
        "from_status": "running",
        "attempt": 1,
        "batch_id": None,
        "outcome": "done",
        "error_type": "",
        "error": "",
        "runtime_ms": job.runtime_ms,
        "correlation_id": job.correlation_id,
        "created_at": f"{job.created_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "started_at": f"{job.started_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "finished_at": f"{job.finished_at:%Y-%m-%dT%H:%M:%S.%fZ}",
    }


def test_the_page_shows_what_comes(world: World) -> None:
    page = (BASE_DIR / "docs" / "event-stream.md").read_text(encoding="utf-8")
    shown = json.loads(page.split("```json\n")[1].split("```")[0])
    make_dead_letter(world.org)

    told = next(one for one in send_all(from_start()) if one["type"] == "job.failed")

    assert told.keys() == shown.keys()
    assert told["data"].keys() == shown["data"].keys()
    assert told["data"]["job"].keys() == shown["data"]["job"].keys()


def test_a_scrape_has_the_lag(world: World) -> None:
    make_done(world.org)
    StreamPosition.objects.create(name="kafka", position=0)

    text = browser().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()

    assert 'smartqueue_stream_lag_events{sink="kafka"} 3.0' in text
    assert 'smartqueue_stream_lag_seconds{sink="kafka"} ' in text


def test_neither_payload_nor_result_nor_a_persons_name_is_told(world: World) -> None:
    payload = {"task": "demo.add", "kwargs": {"a": 987654321, "b": 2}}
    job = make_job(world.org, world.owner, payload=payload)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.DONE, result={"token": "s3cret-result"})

    sink = Listed()
    send_all(from_start(sink))

    text = b"".join(event.body for event in sink.events).decode()
    assert str(job.pk) in text
    assert not [word for word in ("987654321", "s3cret-result", "owner", "payload") if word in text]


def test_an_error_is_cut_and_a_change_by_a_person_says_so(world: World) -> None:
    make_dead_letter(world.org)
    waiting = make_job(world.org, delay_seconds=3600)
    change(waiting.pk, scope=find_scope(world.owner, "acme"), urgency="high")

    told = send_all(from_start())

    failed = next(one for one in told if one["type"] == "job.failed")
    assert failed["data"]["job"]["error"] == "broken"
    assert told[-1]["type"] in ("job.changed", "job.scheduled")
    assert told[-1]["data"]["job"]["id"] == str(waiting.pk)


def test_a_new_receiver_is_told_what_happens_from_then_on(world: World) -> None:
    make_done(world.org)
    streamer = from_start(start=False)
    assert send_all(streamer) == []
    job = make_job(world.org)

    assert [one["data"]["job"]["id"] for one in send_all(streamer)] == [str(job.pk)]


def test_a_move_that_is_committed_late_is_not_passed(world: World) -> None:
    job = make_job(world.org)
    streamer = from_start()
    with elsewhere() as other:
        other.execute("BEGIN")
        other.execute(MOVE, (world.org.pk, job.pk))
        later = make_job(world.org)
        for _ in range(5):
            streamer.step()
        # numbered before what has been committed since, and not there yet
        assert str(later.pk) not in [event.job_id for event in streamer.sink.events]  # type: ignore[attr-defined]
        other.execute("COMMIT")
    send_all(streamer)

    assert {event.id for event in streamer.sink.events} == expected_ids()  # type: ignore[attr-defined]
    sequences = [event.sequence for event in streamer.sink.events]  # type: ignore[attr-defined]
    assert sequences == sorted(sequences)


def test_what_was_not_acknowledged_is_sent_again(world: World) -> None:
    make_done(world.org)
    sink = Listed()
    streamer = from_start(sink)

    def broken() -> None:
        raise ConnectionResetError

    sink.trouble = broken
    eventually(lambda: not streamer.guarded_step() and sink.events)
    assert StreamPosition.objects.get().position == 0
    before = len(sink.events)
    sink.trouble = None
    send_all(streamer)

    assert len(sink.events) == before + 3
    assert {event.id for event in sink.events} == expected_ids()


def test_a_rest_of_a_piece_is_sent_in_the_next(world: World, settings: Settings) -> None:
    settings.STREAM_BATCH = 2
    for _ in range(3):
        make_done(world.org)

    assert {one["id"] for one in send_all(from_start())} == expected_ids()


def test_only_some_types_of_events_are_told_and_the_rest_is_passed(world: World, settings: Settings) -> None:
    settings.STREAM_EVENTS = ["job.done"]
    make_done(world.org)

    assert [one["type"] for one in send_all(from_start())] == ["job.done"]
    assert [(lag.events, lag.seconds) for lag in lags()] == [(0, 0.0)]


def test_what_was_deleted_meanwhile_is_not_told(world: World) -> None:
    kept, gone = make_done(world.org), make_done(world.org)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_job WHERE id = %s", [gone.pk])

    assert {one["data"]["job"]["id"] for one in send_all(from_start())} == {str(kept.pk)}


def test_one_sends_and_another_waits_until_it_is_gone(world: World, settings: Settings) -> None:
    make_job(world.org)
    first, second = from_start(), from_start()
    send_all(first)
    make_job(world.org)
    assert not second.step()
    assert not second.leads

    first.drain()
    send_all(second)

    assert second.leads
    assert len(second.sink.events) == 1  # type: ignore[attr-defined]
    assert not first.step()
    assert not first.leads


def test_one_that_is_gone_without_a_word_is_followed_when_its_time_is_over(world: World) -> None:
    make_job(world.org)
    first, second = Hold("listed", from_start=True), Hold("listed", from_start=True)
    assert eventually(first.take)
    assert not second.take()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_streamposition SET held_until = now() - interval '1 second'")

    assert second.take()
    with pytest.raises(StreamLost):
        first.advance(5)
    assert StreamPosition.objects.get().position == 0
    second.advance(5)
    assert StreamPosition.objects.get().position == 5


def test_lag_is_measured_and_exported(world: World) -> None:
    assert [sample for metric in lag_metrics() for sample in metric.samples] == []
    make_done(world.org)
    streamer = from_start()
    streamer.hold.take()

    (lag,) = lags()
    assert (lag.sink, lag.events) == ("listed", 3)
    assert lag.seconds > 0
    send_all(streamer)
    assert [(lag.events, lag.seconds) for lag in lags()] == [(0, 0.0)]
    samples = {sample.name: (sample.labels, sample.value) for metric in lag_metrics() for sample in metric.samples}
    assert samples["smartqueue_stream_lag_events"] == ({"sink": "listed"}, 0)
    assert samples["smartqueue_stream_lag_seconds"] == ({"sink": "listed"}, 0)


def test_a_long_lag_is_not_counted_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.stream.lag.COUNTED", 2)
    moves = [make_done(world.org) for _ in range(2)]
    assert moves
    StreamPosition.objects.create(name="listed", position=Transition.objects.earliest("pk").pk - 1)

    (lag,) = lags()

    assert lag.events == Transition.objects.latest("pk").pk - Transition.objects.earliest("pk").pk + 1
