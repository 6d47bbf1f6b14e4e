"""Where attempts run: threads, and one event loop."""

import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from jobs.handlers.base import StopReason
from jobs.processes.executor import Attempt, LoopSlots, ThreadSlots
from jobs.queue.finish import Ended
from jobs.states import Outcome
from tests.eventually import eventually
from tests.jobs.handlers.fakes import make_attempt, make_claimed
from tests.tasks import BARRIERS, BEGUN, GATES, GATHERED

Ends = list[tuple[Attempt, Ended]]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """What has ended so far; every gate is opened afterwards."""
    GATES.clear()
    GATHERED.clear()
    BEGUN.clear()
    yield []
    for gate in list(GATES.values()):
        gate.set()


def told(ends: Ends) -> Callable[[Attempt, Ended], None]:
    return lambda attempt, ended: ends.append((attempt, ended))


def attempt(task: str, **kwargs: object) -> Attempt:
    return make_attempt(
        make_claimed("python", {"task": f"tests.{task}", "kwargs": kwargs}, job_id=uuid4(), token=uuid4())
    )


def of(ends: Ends, *attempts: Attempt) -> list[Ended]:
    return [ended for each, ended in ends if each in attempts]


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [1, 2, 7])
def test_as_many_attempts_as_there_are_slots_wait_side_by_side(ends: Ends, slots: int) -> None:
    BARRIERS["all"] = threading.Barrier(slots)
    threads = ThreadSlots(slots, told(ends))

    for _ in range(3):
        threads.start([attempt("meet", barrier="all") for _ in range(slots)])

    eventually(lambda: len(ends) == 3 * slots)
    assert {ended.result for _, ended in ends} == {"met"}


def test_attempts_that_come_one_by_one_find_a_free_slot_each(ends: Ends) -> None:
    BARRIERS["all"] = threading.Barrier(5)
    threads = ThreadSlots(5, told(ends))

    for _ in range(5):
        threads.start([attempt("meet", barrier="all")])

    eventually(lambda: len(ends) == 5)
    assert {ended.outcome for _, ended in ends} == {Outcome.DONE}


def test_attempts_begin_in_the_order_they_were_given(ends: Ends) -> None:
    threads = ThreadSlots(1, told(ends))
    names = [f"{number:03}" for number in range(200)]

    threads.start([attempt("begin", name=name) for name in names[:100]])
    threads.start([attempt("begin", name=name) for name in names[100:]])

    eventually(lambda: len(ends) == len(names))
    assert names == BEGUN


def test_what_comes_later_waits_for_a_slot(ends: Ends) -> None:
    threads = ThreadSlots(2, told(ends))
    threads.start([attempt("begin", name=name, gate=name) for name in ("a", "b", "c", "d")])
    eventually(lambda: sorted(BEGUN) == ["a", "b"])

    GATES["b"].set()

    eventually(lambda: BEGUN[2:] == ["c"])
    assert len(ends) == 1
    GATES["c"].set()
    eventually(lambda: BEGUN[2:] == ["c", "d"])


def test_one_that_never_returns_does_not_hold_up_the_others(ends: Ends) -> None:
    threads = ThreadSlots(2, told(ends))
    stuck = attempt("stubborn", gate="never")

    threads.start([stuck, *(attempt("begin", name=str(number)) for number in range(50))])
    eventually(lambda: len(ends) == 50)
    threads.start([attempt("begin", name="later")])
    eventually(lambda: len(ends) == 51)

    assert not of(ends, stuck)
    GATES["never"].set()
    eventually(lambda: of(ends, stuck))


def test_whatever_an_attempt_raises_its_slot_lives(ends: Ends) -> None:
    threads = ThreadSlots(1, told(ends))

    threads.start([attempt("leave"), attempt("fail_with", message="no"), attempt("begin", name="after")])

    eventually(lambda: len(ends) == 3)
    assert [ended.error_type for _, ended in ends] == ["SystemExit", "ValueError", ""]


# --- the event loop -------------------------------------------------------------------------------------------------


def test_hundreds_of_coroutines_wait_at_once_in_one_thread(ends: Ends) -> None:
    loop = LoopSlots(told(ends))

    loop.start([attempt("gather_async", key="all", parties=500) for _ in range(300)])
    loop.start([attempt("gather_async", key="all", parties=500) for _ in range(200)])

    eventually(lambda: len(ends) == 500)
    assert {ended.outcome for _, ended in ends} == {Outcome.DONE}
    assert len({ended.result for _, ended in ends}) == 1


def test_a_coroutine_is_given_its_context_and_is_known_by_it(ends: Ends) -> None:
    attempts = [attempt("about_me_async") for _ in range(3)]

    LoopSlots(told(ends)).start(attempts)

    eventually(lambda: len(ends) == 3)
    for each in attempts:
        (ended,) = of(ends, each)
        assert ended.result == {"attempt": 1, "running": str(each.claimed.job_id)}


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (StopReason.CANCELLED, Outcome.CANCELLED),
        (StopReason.TIMEOUT, Outcome.TIMEOUT),
        (StopReason.DRAIN, Outcome.RELEASED),
        (StopReason.LEASE_LOST, Outcome.RELEASED),
    ],
)
def test_a_coroutine_that_is_asked_to_stop_stops_where_it_waits(
    ends: Ends, reason: StopReason, outcome: Outcome
) -> None:
    asked, other = attempt("sleep_async", seconds=3600), attempt("gather_async", key="two", parties=2)
    loop = LoopSlots(told(ends))
    loop.start([asked, other])
    eventually(lambda: asked.reporter._sequence)

    asked.context.stop(reason)

    eventually(lambda: [ended.outcome for ended in of(ends, asked)] == [outcome])
    loop.start([attempt("gather_async", key="two", parties=2)])
    eventually(lambda: [ended.outcome for ended in of(ends, other)] == [Outcome.DONE])


def test_one_that_was_asked_before_it_began_does_not_begin(ends: Ends) -> None:
    asked = attempt("sleep_async", seconds=3600)
    asked.context.stop(StopReason.CANCELLED)

    LoopSlots(told(ends)).start([asked])

    eventually(lambda: [ended.outcome for ended in of(ends, asked)] == [Outcome.CANCELLED])


def test_whatever_a_coroutine_raises_the_loop_lives(ends: Ends) -> None:
    loop = LoopSlots(told(ends))
    failing = [attempt("fail_async", message="no such table"), attempt("leave_async")]

    loop.start(failing)

    eventually(lambda: len(ends) == 2)
    assert [of(ends, each)[0].error_type for each in failing] == ["ValueError", "SystemExit"]
    assert "no such table" in of(ends, failing[0])[0].error
    loop.start([attempt("gather_async", key="alone", parties=1)])
    eventually(lambda: len(ends) == 3)
    assert ends[-1][1].outcome == Outcome.DONE
