"""What the leader keeps in order: counts, depth samples and the age of what is stored."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from jobs.ids import first_uuid7, uuid7
from jobs.models import (
    Artefact,
    Attempt,
    DepthSample,
    Job,
    LogLine,
    StatusCount,
    StatusDelta,
    Transition,
    WorkerProcess,
)
from jobs.queue import sql
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.queue.lease import report
from jobs.queue.upkeep import Prune, fold_counts, sample_depth
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_dead_letter, make_done, make_job, make_org
from tests.jobs.queue.whole import assert_whole, counted

pytestmark = pytest.mark.django_db


# --- counts ---------------------------------------------------------------------------------------------------------


def test_counts_are_exact_before_between_and_after_folding(world: World) -> None:
    make_done(world.rival)
    make_dead_letter(world.rival)
    make_job(world.org)
    make_job(world.org, queue="other", delay_seconds=60)
    before = counted()

    assert fold_counts(batch=3)
    between = counted()
    while fold_counts(batch=3):
        pass

    assert before == between == counted()
    assert before == Counter(
        {
            (world.org.pk, "default", "queued"): 1,
            (world.org.pk, "other", "scheduled"): 1,
            (world.rival.pk, "default", "done"): 1,
            (world.rival.pk, "default", "failed"): 1,
        }
    )
    assert not StatusDelta.objects.exists()
    assert_whole()


def test_a_full_batch_says_that_there_may_be_more(world: World) -> None:
    for _ in range(4):
        make_job(world.org)

    assert [fold_counts(batch=3), fold_counts(batch=3)] == [True, False]
    assert StatusCount.objects.get().jobs == 4


def test_moves_of_a_batch_add_one_change_per_status(world: World) -> None:
    enqueue_many([NewJob(type="python", payload={"task": "demo.fail_always"})] * 50, org=world.org, user=None)

    assert list(StatusDelta.objects.values_list("status", "jobs")) == [("queued", 50)]


@pytest.mark.django_db(transaction=True)
def test_changes_not_yet_committed_are_folded_later() -> None:
    org = make_org()
    make_job(org)
    with elsewhere() as other:
        other.execute(
            "INSERT INTO jobs_statusdelta (org_id, queue, status, jobs) VALUES (%s, 'q', 'queued', 1)", [org.pk]
        )
        fold_counts()
        other.execute("COMMIT")

    assert counted()[org.pk, "q", "queued"] == 1
    fold_counts()
    assert counted()[org.pk, "q", "queued"] == 1
    assert not StatusDelta.objects.exists()


def test_the_totals_of_all_organisations_are_the_sum(world: World) -> None:
    make_job(world.org)
    make_job(world.rival)
    fold_counts()
    make_job(world.rival)

    totals = {row.status: row.jobs for row in sql.run("status_totals")}

    assert totals["queued"] == 3


# --- depth samples --------------------------------------------------------------------------------------------------


def samples() -> list[tuple[Any, ...]]:
    return list(DepthSample.objects.order_by("id").values_list("queue", "queued", "running", "scheduled"))


def test_a_sample_says_what_waits_runs_and_is_scheduled(world: World) -> None:
    make_job(world.org)
    claim_all()
    make_job(world.org)
    make_job(world.org)
    make_job(world.org, delay_seconds=60)
    fold_counts(batch=2)

    sample_depth()

    assert samples() == [("default", 2, 1, 1)]


def test_a_queue_that_stays_empty_is_written_down_once(world: World) -> None:
    make_job(world.org)
    sample_depth()
    finish_one(claim_all()[0])

    for _ in range(3):
        sample_depth()

    assert samples() == [("default", 1, 0, 0), ("default", 0, 0, 0)]


def test_the_queues_of_a_round_share_its_moment(world: World) -> None:
    make_job(world.org, queue="a")
    make_job(world.rival, queue="b")

    sample_depth()

    assert DepthSample.objects.values("at").distinct().count() == 1
    assert DepthSample.objects.count() == 2


# --- age ------------------------------------------------------------------------------------------------------------


def aged(job: Job, *, days: float) -> UUID:
    """The job as if it had been made and ended so many days ago; its new id."""
    old_id = UUID(int=first_uuid7(job.created_at - timedelta(days=days)).int | job.pk.int & (1 << 62) - 1)
    for model in (Attempt, LogLine, Transition, Artefact):
        model._default_manager.filter(job_id=job.pk).update(job_id=old_id)
    Job.objects.filter(pk=job.pk).update(
        id=old_id,
        created_at=Now() - timedelta(days=days),
        finished_at=Now() - timedelta(days=days) if job.finished_at else None,
    )
    return old_id


def sweep(prune: Prune) -> int:
    """One whole sweep; how many batches it took."""
    batches = 1
    while prune():
        batches += 1
    return batches


def test_what_ended_long_ago_goes_and_the_rest_stays(world: World) -> None:
    gone = {aged(make_done(world.org), days=31), aged(make_dead_letter(world.org), days=91)}
    stays = {
        aged(make_done(world.org), days=29),
        aged(make_dead_letter(world.org), days=89),
        aged(make_job(world.org, queue="waiting", delay_seconds=60), days=300),
        make_done(world.org).pk,
    }

    sweep(Prune())

    assert set(Job.objects.values_list("pk", flat=True)) == stays
    assert not gone & set(Transition.objects.values_list("job_id", flat=True))
    assert not gone & set(Attempt.objects.values_list("job_id", flat=True))
    assert_whole()


def test_what_hangs_on_a_job_goes_with_it(world: World, django_capture_on_commit_callbacks: Any) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    line = {"token": str(claimed.token), "sequence": 1, "stream": "log", "text": "hello", "age_seconds": 0}
    report(lines=[line], progress=[])
    finish_one(claimed)
    job.refresh_from_db()
    name = default_storage.save(f"{world.org.pk}/{uuid7().hex}", ContentFile(b"data"))
    Artefact.objects.create(
        org=world.org, job_id=job.pk, attempt=1, name="a", content_type="a/b", size_bytes=4, sha256="", file=name
    )
    aged(job, days=31)

    with django_capture_on_commit_callbacks(execute=True):
        sweep(Prune())

    assert not any(model._default_manager.exists() for model in (Job, Attempt, LogLine, Transition, Artefact))
    assert not default_storage.exists(name)
    assert counted() == Counter()


def test_a_sweep_passes_each_job_once_in_bounded_batches(world: World, settings: Any) -> None:
    settings.PRUNE_BATCH = 3
    kept = [aged(make_dead_letter(world.org), days=60) for _ in range(4)]
    for _ in range(5):
        aged(make_done(world.org), days=40)

    # Nine jobs by three, and the batch that finds the end.
    assert sweep(Prune()) == 4

    assert set(Job.objects.values_list("pk", flat=True)) == set(kept)


def test_the_next_sweep_begins_at_the_old_end_again(world: World, settings: Any) -> None:
    settings.PRUNE_BATCH = 2
    prune = Prune()
    job_id = aged(make_done(world.org), days=29)
    sweep(prune)
    Job.objects.filter(pk=job_id).update(finished_at=Now() - timedelta(days=31))

    sweep(prune)

    assert not Job.objects.exists()


def test_an_id_of_a_host_with_a_wrong_clock_prunes_nothing_young(world: World) -> None:
    """The time in an id is that of a host; the age of a job is by the database's clock."""
    job = make_done(world.org)
    Job.objects.filter(pk=job.pk).update(id=first_uuid7(job.created_at - timedelta(days=400)))

    sweep(Prune())

    assert Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_job_under_another_hand_is_left_for_the_next_sweep() -> None:
    job_id = aged(make_done(make_org()), days=31)
    prune = Prune()
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_job WHERE id = %s FOR UPDATE", [job_id])
        sweep(prune)
    assert Job.objects.exists()

    sweep(prune)

    assert not Job.objects.exists()


def test_old_samples_and_processes_go(world: World) -> None:
    for days in (31, 29):
        DepthSample.objects.create(
            org_id=world.org.pk, queue="q", at=Now() - timedelta(days=days), queued=1, running=0, scheduled=0
        )
    for status, hours in (("offline", 25), ("dead", 25), ("offline", 23)):
        WorkerProcess.objects.create(
            id=uuid7(),
            kind="worker",
            hostname="h",
            pid=1,
            version="1",
            status=status,
            started_at=Now(),
            beat_at=Now(),
            stopped_at=Now() - timedelta(hours=hours),
        )

    sweep(Prune())

    assert DepthSample.objects.count() == 1
    assert WorkerProcess.objects.count() == 1
