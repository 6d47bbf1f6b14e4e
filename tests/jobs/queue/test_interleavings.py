"""Two sessions and all orders of their statements: whatever waits for what, it is as if one had gone before the other.

Each session is a script of up to four statements: BEGIN, one verb or two, COMMIT. Every merge of two scripts is played
on two connections; a statement that waits for a lock of the other session goes on when that has committed.
"""

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from itertools import combinations
from typing import Any

import pytest
from django.db import connection, transaction

from jobs.errors import IllegalMove
from jobs.models import Attempt, Job
from jobs.queue import change
from jobs.queue.claim import Claimed
from jobs.queue.control import cancel, replay
from jobs.queue.enqueue import enqueue
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import renew, rescue
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.models import Org
from orgs.scope import Scope
from tests.eventually import eventually
from tests.factories import WORKER, claim_all, make_org
from tests.jobs.queue.acts import new_job, own_scope
from tests.jobs.queue.whole import assert_whole, lapse_leases, make_due, path_of

pytestmark = pytest.mark.django_db(transaction=True)

Step = Callable[[], Any]
# Of a session's statements in a merge.
ONE_VERB, TWO_VERBS = 3, 4


class Session:
    """A connection, and a thread that runs what it is given in that order."""

    def __init__(self) -> None:
        self.steps: queue.SimpleQueue[tuple[Step, Future[Any]] | None] = queue.SimpleQueue()
        self.given: list[Future[Any]] = []
        self.pid = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        eventually(lambda: self.pid)

    def run(self) -> None:
        connection.ensure_connection()
        self.pid = connection.connection.info.backend_pid
        while (given := self.steps.get()) is not None:
            step, future = given
            try:
                future.set_result(step())
            except Exception as error:
                future.set_exception(error)
        connection.close()

    def give(self, step: Step) -> None:
        future: Future[Any] = Future()
        self.given.append(future)
        self.steps.put((step, future))

    @property
    def over(self) -> bool:
        return all(future.done() for future in self.given)

    @property
    def waits(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [self.pid])
            return bool(cursor.fetchone()[0])

    def outcome(self) -> None:
        """Raises what a step raised: a deadlock, for one."""
        for future in self.given:
            future.result(20)
        self.given.clear()

    def close(self) -> None:
        self.steps.put(None)
        self.thread.join(20)


@pytest.fixture
def sessions() -> Iterator[tuple[Session, Session]]:
    pair = Session(), Session()
    yield pair
    for session in pair:
        session.close()


class Case:
    """One job in some state, and what may be done to it."""

    def __init__(self, org: Org, scope: Scope, number: int, state: str) -> None:
        self.scope = scope
        self.queue = f"q{number}"
        delay = 3600 if state == "scheduled" else None
        new = new_job(queue=self.queue, max_attempts=2, delay_seconds=delay)
        self.job_id = enqueue(new, org=org, user=None).job_id
        self.old: Claimed | None = None
        match state:
            case "running":
                (self.old,) = claim_all(self.queue)
                lapse_leases(self.job_id)
            case "failed":
                (claimed,) = claim_all(self.queue)
                finish([Ended(claimed, Outcome.ERROR, permanent=True)], worker_name="w")
            case "scheduled":
                make_due(self.job_id)

    def verb(self, name: str) -> Step:
        return getattr(self, f"do_{name}")

    def do_claim(self) -> None:
        claim_all(self.queue)

    def do_claim_and_finish(self) -> None:
        finish([Ended(one, Outcome.DONE) for one in claim_all(self.queue)], worker_name="w")

    def do_expire(self) -> None:
        rescue()

    def do_done(self) -> None:
        self.end(Outcome.DONE)

    def do_error(self) -> None:
        self.end(Outcome.ERROR)

    def do_release(self) -> None:
        self.end(Outcome.RELEASED)

    def end(self, outcome: Outcome) -> None:
        assert self.old
        finish([Ended(self.old, outcome)], worker_name="w")

    def do_renew(self) -> None:
        assert self.old
        renew(worker_id=WORKER, tokens=[self.old.token])

    def do_promote(self) -> None:
        promote()

    def do_cancel(self) -> None:
        with suppress(IllegalMove):
            cancel(self.job_id, scope=self.scope)

    def do_replay(self) -> None:
        with suppress(IllegalMove):
            replay(self.job_id, scope=self.scope)

    def do_snooze(self) -> None:
        with suppress(IllegalMove):
            change.snooze(self.job_id, scope=self.scope, seconds=3600)

    def do_run_now(self) -> None:
        with suppress(IllegalMove):
            change.run_now(self.job_id, scope=self.scope)

    def do_move(self) -> None:
        with suppress(IllegalMove):
            change.move(self.job_id, "elsewhere", scope=self.scope)

    def do_urgency(self) -> None:
        with suppress(IllegalMove):
            change.change_urgency(self.job_id, "high", scope=self.scope)

    def ending(self) -> tuple[Any, ...]:
        """What became of it."""
        attempts = Attempt.objects.filter(job_id=self.job_id).order_by("number").values_list("outcome", flat=True)
        job = Job.objects.with_state().get(pk=self.job_id)
        return (*path_of(self.job_id), *attempts, job.life, job.cancel_requested, job.queue == "elsewhere", job.urgency)

    def put_away(self) -> None:
        """So that the next case has the tables to itself."""
        job = Job.objects.with_state().get(pk=self.job_id)
        if job.state not in ("done", "failed", "cancelled"):
            self.do_cancel()
            lapse_leases(self.job_id)
            rescue()


def merges(length: int) -> Iterator[str]:
    """All orders of two scripts of so many statements each."""
    for places in combinations(range(2 * length), length):
        yield "".join("A" if place in places else "B" for place in range(2 * length))


def script(case: Case, verbs: str) -> list[Step]:
    stack = ExitStack()
    return [lambda: stack.enter_context(transaction.atomic()), *map(case.verb, verbs.split()), stack.close]


def play(case: Case, sessions: tuple[Session, Session], verbs: tuple[str, str], order: str) -> None:
    scripts = {"A": iter(script(case, verbs[0])), "B": iter(script(case, verbs[1]))}
    by_name = dict(zip("AB", sessions, strict=True))
    for who in order:
        session = by_name[who]
        session.give(next(scripts[who]))
        # one that waits comes to its next statement when it may go on
        eventually(lambda session=session: session.over or session.waits, every_seconds=0.001)
    for session in sessions:
        session.outcome()
    # the next look of watchdog and leader: they do not wait for what another has locked
    rescue()
    promote()


def endings(state: str, verbs: tuple[str, str], sessions: tuple[Session, Session]) -> dict[str, tuple[Any, ...]]:
    """By order, what became of the job."""
    length = TWO_VERBS if any(" " in each for each in verbs) else ONE_VERB
    org = make_org()
    scope = own_scope(org)
    found = {}
    for number, order in enumerate(merges(length)):
        case = Case(org, scope, number, state)
        play(case, sessions, verbs, order)
        found[order] = case.ending()
        case.put_away()
    assert_whole()
    return found


RUNNING = ["claim", "expire", "done", "error", "release", "renew", "cancel"]
PAIRS = [("running", *pair) for pair in combinations(RUNNING, 2)]
PAIRS += [("running", verb, verb) for verb in ("expire", "done", "cancel")]
PAIRS += [("queued", "claim", "claim"), ("queued", "claim", "cancel"), ("queued", "cancel", "cancel")]
PAIRS += [("scheduled", "promote", "promote"), ("scheduled", "promote", "cancel"), ("scheduled", "promote", "claim")]
PAIRS += [("failed", "replay", "replay"), ("failed", "replay", "claim"), ("failed", "replay", "cancel")]
PAIRS += [
    ("running", "done renew", "expire claim"),
    ("running", "renew error", "cancel expire"),
    ("running", "expire claim_and_finish", "cancel done"),
    ("queued", "claim_and_finish cancel", "cancel claim"),
]

CHANGES = ["snooze", "move", "urgency"]
# a claim passes what another has locked, and is told of it again: not with an urgency, after which it waits as before
PAIRS += [("queued", "snooze", "claim"), ("queued", "move", "claim")]
PAIRS += [("queued", verb, "cancel") for verb in CHANGES]
PAIRS += [("queued", *pair) for pair in combinations(CHANGES, 2)]
PAIRS += [("scheduled", "run_now", verb) for verb in ("run_now", "promote", "cancel", *CHANGES)]
PAIRS += [("scheduled", verb, "promote") for verb in CHANGES]


@pytest.mark.parametrize(("state", "one", "other"), PAIRS, ids=lambda word: word.replace(" ", "+"))
def test_every_order_ends_as_if_one_had_gone_first(
    state: str, one: str, other: str, sessions: tuple[Session, Session]
) -> None:
    found = endings(state, (one, other), sessions)

    half = len(next(iter(found))) // 2
    one_by_one = {found["A" * half + "B" * half], found["B" * half + "A" * half]}
    print(f"{len(found)} orders, endings: {Counter(found.values())}")
    assert {order: ending for order, ending in found.items() if ending not in one_by_one} == {}
