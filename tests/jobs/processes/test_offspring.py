"""Jobs that attempts submit: of the same people, once however often it is tried, never by who has lost the lease."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import LeaseLost
from jobs.handlers.base import Context, PermanentFailure
from jobs.handlers.python_task import BadSignature, task
from jobs.models import Artefact, Attempt, Job, Transition
from jobs.processes.reporting import AttemptReporter
from jobs.queue.artefacts import send
from jobs.queue.claim import Claimed
from jobs.queue.finish import finish
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.models import AuditEntry, Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.processes.stepping import MakeWorker, idle, step_until
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db(transaction=True)

ADD = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}


@pytest.fixture(autouse=True)
def quickly(settings: Settings, tmp_path: Path) -> None:
    settings.RETRY_BASE_SECONDS = settings.RETRY_JITTER_SECONDS = 0
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.WORK_ROOT = str(tmp_path / "work")
    settings.TASK_MODULES = [*settings.TASK_MODULES, "tests.child_tasks"]


def parent(org: Org, name: str, user: Any = None, queue: str = "parents", **kwargs: Any) -> Job:
    return make_job(org, user, queue=queue, payload={"task": name, "kwargs": kwargs}, max_attempts=3)


def run_once(queue: str = "parents") -> None:
    """One attempt of what waits there."""
    finish([make_attempt(claimed).run() for claimed in claim_all(queue)], worker_name="tester-1")


def children() -> list[Job]:
    return list(Job.objects.exclude(queue="parents").order_by("pk"))


def retry(job: Job) -> None:
    """Queue the next attempt now."""
    Job.objects.filter(pk=job.pk, status="scheduled").update(run_at="2020-01-01T00:00:00Z")
    assert promote() == 1


def claimed_one(world: World) -> Claimed:
    make_job(world.org, world.operator, queue="parents")
    (claimed,) = claim_all("parents")
    return claimed


def context_of(claimed: Claimed) -> Context:
    return make_attempt(claimed).context


# --- what it is -----------------------------------------------------------------------------------------------------


def test_a_child_belongs_to_whom_its_parent_belongs(world: World) -> None:
    claimed = claimed_one(world)
    audited = AuditEntry.objects.count()

    child = context_of(claimed).enqueue(
        "python", ADD, queue="other", name="child", urgency="high", delay_seconds=60, timeout_seconds=7
    )

    job = Job.objects.get(pk=child)
    assert (job.org, job.created_by, job.correlation_id) == (world.org, world.operator, claimed.correlation_id)
    assert (job.queue, job.name, job.urgency, job.timeout_seconds) == ("other", "child", "high", 7)
    assert job.status == "scheduled"
    assert Transition.objects.get(job_id=job.pk).actor == f"job:{claimed.job_id}"
    # it was no act of his
    assert AuditEntry.objects.count() == audited
    assert_whole()


def test_a_child_waits_for_others(world: World) -> None:
    context = context_of(claimed_one(world))

    first = context.enqueue("python", ADD)
    second = context.enqueue("python", ADD, after=[first])
    third = context.enqueue("python", ADD, after_end=[str(context.job_id)])

    assert Job.objects.get(pk=first).status == "queued"
    assert [Job.objects.get(pk=one).waiting_on for one in (second, third)] == [1, 1]


@pytest.mark.parametrize(
    ("type", "payload", "options", "words"),
    [
        ("pyhton", ADD, {}, "There is no job type 'pyhton'"),
        ("python", {"task": "no.such"}, {}, "There is no task 'no.such'"),
        ("python", ADD, {"queue": "No Queue"}, "/queue"),
        ("python", ADD, {"after": ["01900000-0000-7000-8000-000000000001"]}, "/after"),
        ("python", ADD, {"org": "rival"}, "/org"),
        ("python", ADD, {"run_at": "now"}, "/run_at"),
        ("python", {**ADD, "kwargs": {"a": "x" * 20_000, "b": 1}}, {}, "bytes of JSON"),
    ],
)
def test_what_is_refused_is_final_and_says_why(
    world: World, type: str, payload: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(PermanentFailure) as told:
        context_of(claimed_one(world)).enqueue(type, payload, **options)

    assert words in str(told.value)
    assert Job.objects.count() == 1


def test_another_organisations_job_is_nothing_to_wait_for(world: World) -> None:
    theirs = make_job(world.rival)

    with pytest.raises(PermanentFailure):
        context_of(claimed_one(world)).enqueue("python", ADD, after=[theirs.pk])


def test_one_attempt_submits_only_so_many(world: World, settings: Settings) -> None:
    settings.ENQUEUE_MAX_JOBS = 3
    context = context_of(claimed_one(world))

    for _ in range(3):
        context.enqueue("python", ADD)
    with pytest.raises(PermanentFailure, match="at most 3 jobs"):
        context.enqueue("python", ADD)

    assert Job.objects.count() == 4


# --- once -----------------------------------------------------------------------------------------------------------


def test_a_further_attempt_gets_the_jobs_of_the_first(world: World) -> None:
    job = parent(world.org, "tests.submit_some", count=3, gate="fail")

    run_once()
    first = [one.pk for one in children()]
    assert len(first) == 3
    retry(job)
    run_once()

    job.refresh_from_db()
    assert (job.status, job.attempt) == ("done", 2)
    assert job.result == [str(pk) for pk in first]
    assert [one.pk for one in children()] == first
    assert_whole()


def test_a_key_of_ones_own_holds_over_jobs(world: World) -> None:
    one, other = context_of(claimed_one(world)), context_of(claimed_one(world))

    assert one.enqueue("python", ADD, key="night-17") == other.enqueue("python", ADD, key="night-17")
    with pytest.raises(PermanentFailure, match="has brought another job before"):
        other.enqueue("python", ADD, key="night-17", name="changed")


def test_calls_that_differ_from_those_of_the_attempt_before_are_told_of(world: World) -> None:
    claimed = claimed_one(world)
    context_of(claimed).enqueue("python", ADD, name="one")

    with pytest.raises(PermanentFailure, match="a key of its own"):
        context_of(claimed).enqueue("python", ADD, name="other")


def test_who_has_lost_the_lease_submits_nothing(world: World) -> None:
    claimed = claimed_one(world)
    assert finish_one(claimed, Outcome.DONE)

    with pytest.raises(LeaseLost):
        AttemptReporter(claimed).enqueue({"type": "python", "payload": ADD}, "k")

    assert Job.objects.count() == 1


# --- from everywhere ------------------------------------------------------------------------------------------------


def test_a_task_in_a_worker_has_its_children_run(make_worker: MakeWorker, world: World) -> None:
    job = parent(world.org, "tests.submit_some", queue="default", count=5)
    worker = make_worker()

    step_until(worker, lambda: Job.objects.filter(status="done").count() == 6)
    step_until(worker, idle(worker))

    job.refresh_from_db()
    results = Job.objects.filter(pk__in=job.result).order_by("pk").values_list("result", flat=True)
    assert list(results) == [1, 2, 3, 4, 5]
    assert_whole()


def test_a_coroutine_submits_without_holding_up_the_others(make_worker: MakeWorker, world: World) -> None:
    job = parent(world.org, "tests.submit_async", queue="default", count=5)
    worker = make_worker()

    step_until(worker, lambda: Job.objects.filter(status="done").count() == 6)

    job.refresh_from_db()
    assert len(set(job.result)) == 5
    assert_whole()


def test_after_a_crash_the_next_attempt_gets_the_job_that_is_there(world: World, tmp_path: Path) -> None:
    """Of a process of its own, killed right after the submit."""
    job = parent(world.org, "child_tasks.submit_then_die", path=str(tmp_path / "marks"))

    run_once()
    assert Attempt.objects.get(job_id=job.pk).outcome == "crashed"
    (child,) = children()
    retry(job)
    run_once()

    job.refresh_from_db()
    assert (job.status, job.result) == ("done", str(child.pk))
    assert [one.pk for one in children()] == [child.pk]
    assert child.name == "child"


def test_in_a_process_of_its_own_a_refusal_is_final_too(world: World) -> None:
    job = parent(world.org, "child_tasks.submit_badly", options={"queue": "No Queue"})

    run_once()

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("failed", "PermanentFailure")
    assert "/queue" in job.error


def test_in_a_transaction_children_are_there_with_the_end_or_never(world: World) -> None:
    job = parent(world.org, "child_tasks.submit_then_error")

    run_once()
    assert children() == []
    retry(job)
    run_once()

    (child,) = children()
    job.refresh_from_db()
    assert (job.status, job.result) == ("done", str(child.pk))
    assert_whole()


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tests.copy_upper", "child_tasks.copy_upper"])
def test_a_task_reads_a_file_and_leaves_one(world: World, tmp_path: Path, name: str) -> None:
    (tmp_path / "in.txt").write_bytes(b"hello")
    scope = Scope(world.operator, world.org, Role.OPERATOR)
    with (tmp_path / "in.txt").open("rb") as source:
        given = send(source, name="in.txt", content_type="text/plain", scope=scope)
    job = parent(world.org, name, artefact=str(given.pk))

    run_once()

    job.refresh_from_db()
    made = Artefact.objects.get(pk=job.result)
    assert (made.name, made.content_type, made.job_id) == ("upper-in.txt", "text/plain", job.pk)
    assert made.file.read() == b"HELLO"
    made.file.close()
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("name", ["tests.copy_upper", "child_tasks.copy_upper"])
@pytest.mark.parametrize("whose", ["nobody", "rival", "nonsense"])
def test_a_file_that_is_not_there_is_final(world: World, tmp_path: Path, name: str, whose: str) -> None:
    artefact_id = {"nobody": "01900000-0000-7000-8000-000000000001", "nonsense": "../../etc/passwd"}.get(whose)
    if artefact_id is None:
        (tmp_path / "x").write_bytes(b"theirs")
        with (tmp_path / "x").open("rb") as source:
            theirs = send(source, name="x", content_type=None, scope=Scope(world.outsider, world.rival, Role.ORG_ADMIN))
        artefact_id = str(theirs.pk)
    job = parent(world.org, name, artefact=artefact_id)

    run_once()

    job.refresh_from_db()
    assert (job.status, job.error_type) == ("failed", "PermanentFailure")
    assert "has no artefact" in job.error


def test_a_coroutine_has_no_folder() -> None:
    async def nowhere() -> None: ...

    with pytest.raises(BadSignature, match="has no folder"):
        task(files=True)(nowhere)
