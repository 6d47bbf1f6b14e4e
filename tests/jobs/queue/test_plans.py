"""How PostgreSQL runs the hot statements when a great deal is waiting: by an index, and no further than asked."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.models import (
    Attempt,
    Delivery,
    EventType,
    Job,
    Learning,
    Lease,
    LogLine,
    Ready,
    RunDelta,
    RuntimeMemory,
    StatusDelta,
    Subscriber,
    Transition,
)
from jobs.queue import sql
from jobs.queue.enqueue import enqueue_many
from jobs.queue.rollups import levels
from jobs.queue.shares import spacing
from orgs.models import Org
from tests.factories import WORKER
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.plans import (
    RUNNING,
    WAITING,
    Explain,
    assert_by_index,
    filled,
    params_of,
    plan,
    plan_for_any,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def backlog(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """The id of an organisation with a great deal waiting, scheduled and ended."""
    with django_db_blocker.unblock(), filled() as org:
        yield org.pk


@pytest.fixture
def org(backlog: int, db: None) -> Org:
    return Org.objects.get(pk=backlog)


@pytest.fixture(params=["custom", "generic"])
def explain(request: pytest.FixtureRequest) -> Explain:
    """The plans of a statement that is prepared: the first ones for its values, then one for any."""
    return plan if request.param == "custom" else plan_for_any


FIRST = "00000000-0000-0000-0000-000000000000"
CLAIM: dict[str, Any] = {
    "queue": "default",
    "span_types": ["http", "python", "shell"],
    "floors": [float("-inf")] * 3,
    "ceilings": [float("inf")] * 3,
    "slots": 10,
    "worker_id": WORKER,
    "worker_name": "w",
    "lease_seconds": 30.0,
    "secret": "s",
}


def test_a_claim_reads_the_heads_of_its_types(explain: Explain, org: Org) -> None:
    found = explain("claim", **CLAIM)

    assert_by_index(found, most_rows=30)
    # Read again, the heads would be locked and counted twice.
    (heads,) = [node for node in found if node.get("Subplan Name") == "CTE heads"]
    assert heads["Actual Loops"] == 1
    (locked,) = [node for node in found if node["Node Type"] == "LockRows"]
    assert locked["Actual Rows"] * locked["Actual Loops"] <= 30
    assert any(node.get("Index Name") == "ready_order_idx" for node in found)


def test_a_claim_takes_no_more_than_its_slots_whatever_the_plan(org: Org) -> None:
    for switch in ("enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_material", "enable_indexscan"):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL {switch} = off")
        before = Lease.objects.count()

        rows = sql.rows("claim", **CLAIM | {"slots": 7})

        assert len(rows) == 7
        assert Lease.objects.count() == before + 7
        assert Ready.objects.count() == WAITING - Lease.objects.count()


def test_a_look_for_what_waits_reads_one_row_a_type(explain: Explain, org: Org) -> None:
    assert_by_index(plan("waiting", queues=["none", "default"], types=["http", "python"]), most_rows=2)
    assert_by_index(explain("busy_queues"), most_rows=2)


def test_a_promotion_reads_its_batch_in_order_of_the_due_time(org: Org) -> None:
    found = plan("promote", batch=500, actor="leader", reason="due", **spacing())

    assert_by_index(found, most_rows=501)
    assert any(node.get("Index Name") == "job_due_idx" for node in found)


def test_a_rescue_reads_the_leases_and_their_jobs(org: Org) -> None:
    assert_by_index(plan("rescue", batch=500, actor="watchdog"), most_rows=RUNNING)


def test_a_renewal_reads_the_leases_only(org: Org) -> None:
    tokens = list(Lease.objects.values_list("token", flat=True))

    assert_by_index(plan("renew", worker_id=WORKER, tokens=tokens, lease_seconds=30), most_rows=RUNNING)


def ends(leases: Iterable[Lease]) -> dict[str, Any]:
    """For finish.sql: that these attempts are done, one of them with a result and all that may be said."""
    told: dict[str, dict[str, Any]] = {str(lease.token): {"attempt": lease.attempt} for lease in leases}
    next(iter(told.values())).update(
        outcome="error", result=1, error_type="E", error="e", retry_seconds=1.5, permanent=False
    )
    return {"job_ids": [lease.job_id for lease in leases], "ended": json.dumps(told), "actor": "w"}


def test_an_end_reads_its_own_job(explain: Explain, org: Org) -> None:
    assert_by_index(explain("finish", **ends(Lease.objects.all()[:10])), most_rows=RUNNING)


@pytest.fixture
def subscribed(org: Org) -> None:
    """The organisation, and a thousand others, whose subscribers are not read."""
    others = Org.objects.bulk_create(Org(slug=f"o{number}", name="x") for number in range(1_000))
    everybody = [org, *others]
    fields: dict[str, Any] = {"kind": "mail", "target": "a@example.com", "events": EventType.values}
    Subscriber.objects.bulk_create(Subscriber(org=one, **fields) for one in everybody)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_subscriber")


def test_an_end_reads_the_subscribers_of_its_organisation(explain: Explain, org: Org, subscribed: None) -> None:
    found = explain("finish", **ends(Lease.objects.all()[:10]))

    assert Delivery.objects.count() == 9  # one is to be retried
    assert_by_index(found, most_rows=RUNNING)
    read = [node for node in found if node.get("Relation Name") == "jobs_subscriber" and node["Actual Loops"]]
    assert read
    assert {node["Index Name"] for node in read} == {"subscriber_org_idx"}
    assert all(node["Actual Rows"] <= 1 for node in read)


@pytest.fixture
def counted_in_a_quiet_hour(org: Org) -> Iterator[list[Lease]]:
    """The leases, of which the statistics say that there are none."""
    leases = list(Lease.objects.all())
    with connection.cursor() as cursor:
        Lease.objects.all().delete()
        cursor.execute("ANALYZE jobs_lease")
        Lease.objects.bulk_create(leases)
        yield leases
        cursor.execute("ANALYZE jobs_lease")


def test_no_statement_joins_all_leases_with_all(explain: Explain, counted_in_a_quiet_hour: list[Lease]) -> None:
    line = {"sequence": 1, "stream": "log", "text": "x", "age_seconds": 0}
    lines = {str(lease.token): [line] for lease in counted_in_a_quiet_hour}
    progress = {token: {"progress": 0.5, "progress_message": ""} for token in lines}

    # those that were deleted a moment ago are passed by too; all with all would be forty times as many
    for found in (
        explain("report", lines=json.dumps(lines), progress=json.dumps(progress)),
        explain("finish", **ends(counted_in_a_quiet_hour)),
    ):
        assert_by_index(found, most_rows=3 * RUNNING)


@pytest.mark.parametrize("status", ["queued", "scheduled"])
def test_a_cancellation_reads_its_job(org: Org, status: str) -> None:
    job = Job.objects.filter(status=status).order_by("id")[1000]

    found = plan("cancel", job_ids=[job.pk], org_id=org.pk, actor="a", reason="")

    assert_by_index(found, most_rows=RUNNING)


def test_a_replay_reads_the_jobs_it_is_given(org: Org) -> None:
    dead = list(Job.objects.dead_letters().values_list("pk", flat=True)[:100])

    assert_by_index(
        plan(
            "replay",
            job_ids=dead,
            org_id=org.pk,
            actor="a",
            payload=None,
            payload_bytes=None,
            room_jobs=50,
            room_bytes=1_000_000,
            **spacing(),
        ),
        most_rows=100,
    )


def test_a_sweep_reads_its_batch_from_the_old_end(org: Org) -> None:
    found = plan("prune", after=FIRST, days=30, dead_letter_days=90, batch=500)

    assert_by_index(found, most_rows=2_501)  # of each of the 500 jobs its five attempts


def test_a_fold_reads_its_batch(org: Org) -> None:
    assert_by_index(plan("fold_counts", batch=1000), most_rows=1001)
    assert StatusDelta.objects.filter(org_id=0).count() == 49_000


def test_freeing_what_is_held_reads_nothing_of_a_queue_that_stays_paused(org: Org) -> None:
    Ready.objects.filter(type="http").update(held=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_queue (org_id, name, paused_at, pause_reason) VALUES (%s, 'default', now(), '')", [org.pk]
        )
        cursor.execute("ANALYZE jobs_ready")

    assert_by_index(plan("unhold", batch=500), most_rows=2)


def test_keys_that_ended_are_found_by_their_age(org: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET idempotency_key = id WHERE status <> 'queued'")
        cursor.execute("ANALYZE jobs_job")

    assert_by_index(plan("expire_keys", hours=24, batch=500), most_rows=501)


def test_a_claim_with_floors_begins_there(explain: Explain, org: Org) -> None:
    types: list[str] = CLAIM["span_types"]
    before = [Ready.objects.filter(type=type).order_by("rank").values_list("rank", flat=True)[9_999] for type in types]

    found = explain("claim", **CLAIM | {"floors": before})

    assert_by_index(found, most_rows=30)
    below = [Ready.objects.filter(type=type, rank__lt=rank).count() for type, rank in zip(types, before, strict=True)]
    assert below == [9_999] * 3


def test_a_claim_with_spans_reads_only_these_and_from_the_floors_on(explain: Explain, org: Org) -> None:
    ranks = Ready.objects.filter(type="python").order_by("rank").values_list("rank", flat=True)
    low, high, floor = ranks[100], ranks[104], ranks[9_999]
    spans = {"span_types": ["python"] * 2, "floors": [low, floor], "ceilings": [high, float("inf")]}

    found = explain("claim", **CLAIM | spans)

    assert_by_index(found, most_rows=20)


@pytest.mark.parametrize(("statement", "count"), [("enqueue", 100), ("enqueue_one", 1)])
def test_a_submission_reads_only_the_queues_and_limits(explain: Explain, org: Org, statement: str, count: int) -> None:
    jobs = [new_job(idempotency_key=f"k{place}", name="n1") for place in range(count)]

    found = explain(statement, **params_of(statement, lambda: enqueue_many(jobs, org=org, user=None)))

    assert_by_index(found, most_rows=100)


def test_what_was_not_heard_of_is_found_among_the_leases(org: Org) -> None:
    known = list(Lease.objects.values_list("token", flat=True)[:5])

    assert_by_index(plan("give_back", worker_id=WORKER, known=known, actor="w"), most_rows=RUNNING)


def test_a_report_reads_the_leases_only(org: Org) -> None:
    token = str(Lease.objects.all()[0].token)
    line = {"sequence": 1, "stream": "log", "text": "x", "age_seconds": 0}
    progress = {"progress": 0.5, "progress_message": ""}

    found = plan("report", lines=json.dumps({token: [line]}), progress=json.dumps({token: progress}))

    assert_by_index(found, most_rows=RUNNING)


def test_what_is_remembered_is_read_by_its_keys(explain: Explain, org: Org) -> None:
    keys = [f"python\x1fn{number}" for number in (*range(1, 100), 10**9)]

    found = explain("memories", org_id=org.pk, levels=[1] * 100, keys=keys)

    assert_by_index(found, most_rows=100)


def test_a_fold_of_runs_reads_its_batch_and_the_rows_it_moves(org: Org) -> None:
    assert_by_index(plan("fold_runs", batch=500), most_rows=5 * 1_000)
    assert RunDelta.objects.count() == 49_500
    assert RuntimeMemory.objects.filter(level=1, runs=4).count() == 500
    assert Learning.objects.get().runs == 1_000


def test_a_roll_up_reads_its_range_of_ids_and_their_jobs(org: Org) -> None:
    attempt, move = Attempt.objects.latest("pk").pk, Transition.objects.latest("pk").pk
    ends = {"attempts_after": attempt - 500, "attempts_upto": attempt, "moves_after": move - 500, "moves_upto": move}

    assert_by_index(plan("roll_up", kinds=200, **levels(), **ends), most_rows=4 * 500)
    assert_by_index(plan("rollups_left", attempts_left=10**12, moves_left=10**12), most_rows=2)


def test_one_jobs_page_reads_its_own_rows(org: Org) -> None:
    job_id = LogLine.objects.values_list("job_id", flat=True)[0]

    assert_by_index(plan("job_version", job_id=job_id), most_rows=RUNNING)
    assert_by_index(plan("log_tails", job_id=job_id, attempts=[1], lines=50), most_rows=50)


def test_learning_reads_the_newest_runs_and_their_jobs(org: Org) -> None:
    assert_by_index(plan("runs_to_learn", org_id=org.pk, bound=500, usual_timeout=300), most_rows=501)


def test_forgetting_samples_reads_the_old_ones(org: Org) -> None:
    assert_by_index(plan("prune_samples", days=17), most_rows=2_100)


def test_where_nothing_is_old_nothing_is_read(org: Org) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_job SET idempotency_key = id WHERE status <> 'queued'")

    assert_by_index(plan("prune_samples", days=100), most_rows=1)
    assert_by_index(plan("expire_keys", hours=24 * 100, batch=500), most_rows=1)
    assert_by_index(plan("prune", after=FIRST, days=100, dead_letter_days=100, batch=500), most_rows=1)


def test_an_organisations_version_is_one_row(org: Org) -> None:
    assert_by_index(plan("org_version", org_id=org.pk, moves=64), most_rows=65)
