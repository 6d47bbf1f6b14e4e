"""From which rank on claims look, and what finds a job that came in below."""

import json
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Job, Ready
from jobs.processes import floors as floors_module
from jobs.processes.floors import LOOK_SECONDS, LOOK_SHARE, MOST_SPANS, Floors
from jobs.queue import sql
from jobs.queue.claim import Ask, Claimed, claim
from jobs.queue.claim import params as claim_params
from jobs.queue.enqueue import enqueue_many
from jobs.queue.promote import promote
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import WORKER, make_job, make_org
from tests.jobs.handlers.fakes import make_claimed
from tests.jobs.processes.stepping import MakeWorker, idle, step_until
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.whole import make_due

pytestmark = pytest.mark.django_db

EARLIER = 0.9


class Clock:
    """What the floors take for the time, in place of the module they ask."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(floors_module, "time", clock)
    return clock


def taken(floors: Floors, *claims: tuple[str, float], full: bool = False) -> None:
    """A claim of the queue q that answered these (type, rank)."""
    everywhere = not floors.of("q")
    floors.taken("q", [claimed(*one) for one in claims], everywhere=everywhere, full=full)


def claimed(type: str, rank: float) -> Claimed:
    return make_claimed(type, {}, rank=rank)


# --- where they are -------------------------------------------------------------------------------------------------


def test_each_type_has_its_floor_where_the_last_was_taken(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("http", 1.0), ("python", 2.0), ("python", 3.0))

    assert floors.of("q") == {"http": 1.0, "python": 3.0}
    assert floors.of("other") == {}


def test_a_notification_lowers_those_that_are_above(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("http", 1.0), ("python", 3.0))

    floors.lower("q", 2.0, 4.0)
    floors.lower("never asked", 0.0, 9.0)

    assert floors.of("q") == {"http": 1.0, "python": 2.0}
    assert floors.spans("q") == []


def test_what_comes_in_far_below_is_a_span_by_itself(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("http", 1.0), ("python", 9.0))

    floors.lower("q", 2.0, 3.0)

    assert floors.of("q") == {"http": 1.0, "python": 9.0}
    assert floors.spans("q") == [(2.0, 3.0)]
    assert floors.spans("other") == []


def test_a_span_is_left_as_far_as_it_was_taken(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("python", 9.0))
    floors.lower("q", 2.0, 3.0)
    floors.lower("q", 4.0, 6.0)

    taken(floors, ("python", 2.0), ("python", 5.0), full=True)
    assert (floors.of("q"), floors.spans("q")) == ({"python": 9.0}, [(5.0, 6.0)])

    taken(floors)
    assert floors.spans("q") == [(5.0, 6.0)]

    taken(floors, ("python", 5.5), full=False)
    assert (floors.of("q"), floors.spans("q")) == ({"python": 9.0}, [])


def test_a_look_everywhere_begins_anew(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("python", 9.0))
    floors.lower("q", 2.0, 3.0)
    clock.now += LOOK_SECONDS

    taken(floors, ("python", 1.0), full=True)

    assert (floors.of("q"), floors.spans("q")) == ({"python": 1.0}, [])


def test_spans_that_overlap_are_one(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("python", 99.0))

    for low, high in [(5.0, 6.0), (1.0, 3.0), (2.0, 4.0), (6.0, 7.0), (8.0, 8.0)]:
        floors.lower("q", low, high)

    assert floors.spans("q") == [(1.0, 4.0), (5.0, 7.0), (8.0, 8.0)]


def test_many_spans_become_one(clock: Clock) -> None:
    floors = Floors()
    taken(floors, ("python", 99.0))

    for number in range(MOST_SPANS + 1):
        floors.lower("q", number, number + 0.5)

    assert floors.spans("q") == [(0, MOST_SPANS + 0.5)]


def test_a_look_everywhere_is_due_once_a_second(clock: Clock) -> None:
    floors = Floors()
    looks = []

    for _ in range(40):
        looks.append(not floors.of("q"))
        taken(floors, ("python", clock.now))
        clock.now += LOOK_SECONDS / 8

    assert [number for number, everywhere in enumerate(looks) if everywhere] == [0, 8, 16, 24, 32]


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=20))
def test_looks_take_no_more_than_their_share_of_the_time(look_seconds: list[float]) -> None:
    clock, floors, looked = Clock(), Floors(), 0.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(floors_module, "time", clock)
        began = clock.now
        for seconds in look_seconds:
            while floors.of("q"):
                clock.now += 0.25
            clock.now += seconds
            looked += seconds
            floors.taken("q", [claimed("python", 1.0)], everywhere=True, full=False)
        while floors.of("q"):
            clock.now += 0.25

    assert looked <= LOOK_SHARE * (clock.now - began) * 1.001 + 0.001


# --- what finds the job below ---------------------------------------------------------------------------------------


def test_a_job_below_the_floor_whose_notification_was_lost_is_found_by_the_next_look(
    make_worker: MakeWorker, world: World, clock: Clock
) -> None:
    """Nothing is notified in this test: its transaction is never committed."""
    worker = make_worker()
    make_job(world.org)
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 1)
    below = make_job(world.org)
    Ready.objects.update(rank=1.0)

    for _ in range(20):
        worker.step()
    assert Ready.objects.filter(job_id=below.pk).exists()
    clock.now += LOOK_SECONDS
    step_until(worker, lambda: Job.objects.filter(pk=below.pk, status="done"))


@pytest.mark.django_db(transaction=True)
def test_a_job_below_the_floor_is_taken_at_once_when_it_is_heard_of(make_worker: MakeWorker, clock: Clock) -> None:
    org, worker = make_org(), make_worker()
    make_job(org)
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 1)

    enqueue_many([new_job(head_start=EARLIER)], org=org, user=None)

    # The clock stands still: there is no further look everywhere.
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 2)


@pytest.mark.django_db(transaction=True)
def test_all_that_become_due_below_the_floor_are_taken_at_once(make_worker: MakeWorker, clock: Clock) -> None:
    """They are told of together, by the lowest rank."""
    org, worker = make_org(), make_worker()
    make_job(org, urgency="low")
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 1)
    enqueue_many([new_job(delay_seconds=60)] * 3, org=org, user=None)
    make_due()

    promote()

    # The clock stands still: there is no further look everywhere.
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 4)


def test_no_job_is_left_behind_however_ranks_and_steps_are_mixed(make_worker: MakeWorker, world: World) -> None:
    worker = make_worker(slots=3)
    for number in range(60):
        job = make_job(world.org)
        Ready.objects.filter(job_id=job.pk).update(rank=(number * 37) % 60)
        if number % 4 == 0:
            worker.step()

    step_until(worker, lambda: Job.objects.filter(status="done").count() == 60)
    step_until(worker, idle(worker))


# --- what it is for -------------------------------------------------------------------------------------------------

DEAD = 10_000


@pytest.mark.django_db(transaction=True)
def test_a_claim_with_floors_does_not_read_what_a_long_transaction_keeps() -> None:
    org = make_org()
    with elsewhere() as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT FROM orgs_org")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO jobs_ready (job_id, org_id, queue, type, rank, queued_at, attempt, predicted_ms, held)"
                " SELECT gen_random_uuid(), %s, 'default', 'python', n, now(), 0, 1, false"
                " FROM generate_series(1, %s) AS n ORDER BY md5(n::text)",
                [org.pk, 2 * DEAD],
            )
            cursor.execute("DELETE FROM jobs_ready WHERE rank <= %s", [DEAD])
            cursor.execute("ANALYZE jobs_ready")

        from_the_floor = pages_read(float(DEAD))
        everywhere = pages_read(float("-inf"))
        with_a_span = pages_read(float(DEAD), (10.0, 20.0))

    assert from_the_floor < 100
    assert with_a_span < 100
    assert everywhere > DEAD / 2


def pages_read(floor: float, *spans: tuple[float, float]) -> int:
    """How many pages of tables and indexes the picking of ten jobs touches, their going away left out."""
    params: dict[str, Any] = {
        **claim_params(Ask("default", ["python"], 10, WORKER, "w", {"python": floor}, spans)), "secret": "s",
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql.statement('claim').text}", params)
        (answer,) = cursor.fetchone()
        cursor.execute("ROLLBACK")
    tree = json.loads(answer) if isinstance(answer, str) else answer
    heads = next(node for node in walked(tree[0]["Plan"]) if node.get("Subplan Name") == "CTE heads")
    return int(heads["Shared Hit Blocks"] + heads["Shared Read Blocks"])


def walked(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", []) for inner in walked(child))]


def test_a_claim_from_a_floor_takes_nothing_below_it(world: World) -> None:
    for rank in range(10):
        job = make_job(world.org)
        Ready.objects.filter(job_id=job.pk).update(rank=rank)

    found = claim(
        queue="default", types=["python", "shell"], slots=4, worker_id=WORKER, worker_name="w", floors={"python": 5.0}
    )

    assert [one.rank for one in found] == [5.0, 6.0, 7.0, 8.0]


def test_a_claim_takes_the_best_of_its_spans_and_of_what_is_above_its_floor(world: World) -> None:
    for rank in range(12):
        job = make_job(world.org)
        Ready.objects.filter(job_id=job.pk).update(rank=rank)

    found = claim(
        queue="default",
        types=["python", "shell"],
        slots=6,
        worker_id=WORKER,
        worker_name="w",
        floors={"python": 8.0},
        spans=[(1.0, 2.0), (5.0, 5.5), (7.0, 9.0)],
    )

    # the last span reaches over the floor: no reason to leave out what is below, nor to take a job twice
    assert [one.rank for one in found] == [1.0, 2.0, 5.0, 7.0, 8.0, 9.0]


@pytest.mark.django_db(transaction=True)
def test_a_lost_listening_session_costs_no_job(make_worker: MakeWorker) -> None:
    """Floors are known from before; what came while nobody listened is found all the same."""
    org, worker = make_org(), make_worker()
    make_job(org)
    step_until(worker, lambda: Job.objects.filter(status="done").count() == 1)
    worker.lookout.listener.lost(psycopg.OperationalError("gone"))

    enqueue_many([new_job(head_start=EARLIER)] * 5, org=org, user=None)

    eventually(lambda: (worker.step(), Job.objects.filter(status="done").count() == 6)[1])
