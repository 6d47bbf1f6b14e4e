"""Who of the schedulers may act."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import Error, connection

from jobs.errors import NotLeader
from jobs.models import LeaderTerm
from jobs.processes.leader import Leadership, fenced
from jobs.processes.listener import open_session
from jobs.processes.presence import Presence
from jobs.queue import sql
from tests.concurrency import Background, waiting_for_locks
from tests.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)

SILENT = 0.8


@pytest.fixture
def stand(settings: Any) -> Iterator[Callable[[], Leadership]]:
    """Candidates that are ticked by hand."""
    settings.LEADER_SILENT_SECONDS = SILENT
    standing: list[Leadership] = []

    def one() -> Leadership:
        standing.append(Leadership(Presence("scheduler"), on_elected=lambda: None))
        return standing[-1]

    yield one
    for each in standing:
        each.step_down("the test is over")


def end_session(leadership: Leadership) -> None:
    assert leadership._session is not None
    with connection.cursor() as cursor:
        # Waits until it is gone, so that its locks are free.
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [leadership._session.info.backend_pid])


def wait_out_the_silence() -> None:
    began = time.monotonic()
    eventually(lambda: time.monotonic() - began > SILENT * 1.1)


def open_terms() -> list[int]:
    return list(LeaderTerm.objects.filter(ended_at__isnull=True).values_list("epoch", flat=True))


def test_one_of_two_leads(stand: Callable[[], Leadership]) -> None:
    first, second = stand(), stand()
    for _ in range(3):
        first.tick()
        second.tick()

    assert first.epoch is not None
    assert second.epoch is None
    assert open_terms() == [first.epoch]
    term = LeaderTerm.objects.get()
    assert (term.process_id, term.hostname, term.pid) == (
        first.presence.id,
        first.presence.hostname,
        first.presence.pid,
    )


def test_election_is_told_at_once(stand: Callable[[], Leadership]) -> None:
    told: list[int | None] = []
    leadership = stand()
    leadership._on_elected = lambda: told.append(leadership.epoch)

    leadership.tick()
    leadership.tick()

    assert told == [leadership.epoch]
    assert told[0] is not None


def test_a_leader_whose_session_ends_steps_down_and_the_other_leads_in_a_later_epoch(
    stand: Callable[[], Leadership],
) -> None:
    first, second = stand(), stand()
    first.tick()
    before = first.epoch
    assert before is not None
    end_session(first)

    second.tick()
    first.tick()

    assert first.epoch is None
    assert second.epoch is not None
    assert second.epoch > before
    assert open_terms() == [second.epoch]


def test_a_silent_leader_is_replaced_and_its_late_write_is_refused(stand: Callable[[], Leadership]) -> None:
    """As if it were stopped, or its host cut off: its session is there, and says nothing."""
    first, second = stand(), stand()
    first.tick()
    old = first._epoch
    assert old is not None
    second.tick()
    assert second.epoch is None
    wait_out_the_silence()

    second.tick()

    assert second.epoch is not None
    assert first.epoch is None
    with pytest.raises(NotLeader), fenced(old):
        pytest.fail("a closed term was written in")
    with fenced(second.epoch):
        pass
    # It wakes: its session is gone, and it stands again like any other.
    for _ in range(2):
        second.tick()
        first.tick()
    assert first._epoch is None
    assert open_terms() == [second._epoch]


def test_a_leader_that_pings_is_not_replaced(stand: Callable[[], Leadership]) -> None:
    first, second = stand(), stand()
    began = time.monotonic()
    while time.monotonic() - began < SILENT * 2:
        first.tick()
        second.tick()

    assert first.epoch is not None
    assert second.epoch is None


def test_a_resignation_hands_over_at_once(stand: Callable[[], Leadership]) -> None:
    first, second = stand(), stand()
    first.tick()
    before = first.epoch

    first.resign()
    assert open_terms() == []
    second.tick()

    assert before is not None
    assert second.epoch is not None
    assert second.epoch > before


def test_a_thread_stands_leads_and_resigns(stand: Callable[[], Leadership], settings: Any) -> None:
    settings.LEADER_PING_SECONDS = 0.02
    leadership = stand()
    leadership.start()
    assert eventually(lambda: leadership.epoch)

    leadership.stop()

    assert not leadership.is_alive()
    assert open_terms() == []


def test_a_term_ends_only_after_the_writes_in_it(stand: Callable[[], Leadership]) -> None:
    first, second = stand(), stand()
    first.tick()
    epoch = first.epoch
    assert epoch is not None
    with fenced(epoch):
        end_session(first)
        election = Background(second.tick)
        eventually(waiting_for_locks)
        assert open_terms() == [epoch]
        assert sql.run("beat_term", epoch=epoch)

    election.result()

    assert second.epoch is not None
    assert open_terms() == [second.epoch]


def test_a_leader_stopped_within_a_write_holds_its_term_no_longer_than_its_lead(
    stand: Callable[[], Leadership],
) -> None:
    first, second = stand(), stand()
    first.tick()
    epoch = first.epoch
    assert epoch is not None

    def write() -> None:
        with fenced(epoch):
            end_session(first)
            # Meanwhile it does nothing in its transaction, and the server ends its session.
            eventually(lambda: (second.tick(), second._epoch)[1])
            LeaderTerm.objects.count()

    with pytest.raises(Error):
        write()

    connection.close()
    assert open_terms() == [second._epoch]


def test_one_that_waits_to_open_its_term_is_not_taken_for_silent(stand: Callable[[], Leadership]) -> None:
    first, second, third = stand(), stand(), stand()
    first.tick()
    with open_session() as writer:
        writer.execute("BEGIN")
        writer.execute(sql.statement("share_term").text, {"epoch": first.epoch, "idle_milliseconds": 0})
        end_session(first)
        election = Background(second.tick)
        eventually(waiting_for_locks)
        wait_out_the_silence()

        Background(third.tick).result()

        assert election.waits
    election.result()
    assert second.epoch is not None
    assert third.epoch is None


def test_an_unforeseen_error_costs_the_lead_and_not_the_thread(
    stand: Callable[[], Leadership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.processes.leader.open_session", lambda: 1 / 0)
    leadership = stand()

    leadership.tick()
    assert leadership.epoch is None
    monkeypatch.undo()
    leadership.tick()

    assert leadership.epoch is not None
