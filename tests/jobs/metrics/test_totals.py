"""Counters of jobs: each act of a person or a worker moves what it should, once, and nothing ever moves them back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.handlers import registry
from jobs.histograms import Measure, bin_of
from jobs.metrics.totals import buckets
from jobs.models import Attempt, ClassifierCount, Job, Lease, Total
from jobs.queue.erase import rows_of
from jobs.queue.lease import rescue
from jobs.queue.upkeep import Prune
from jobs.states import Outcome
from tests.analytics.rows import roll_up
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, claim_all, ended_job, finish_one, make_dead_letter, make_done, make_job
from tests.jobs.metrics.reading import moved, scraped, value

pytestmark = pytest.mark.django_db(transaction=True)

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
PYTHON = "job_type=python"
# Which times a job took is not what these tests are about.
TIMES = ("job_duration_seconds", "job_processing_duration_seconds", "job_wait_seconds", "database_bytes", "audit_")


def come_of(act: Callable[[], object]) -> dict[str, float]:
    """What the counters and gauges say of it, once the leader has added it up."""
    roll_up()
    before = scraped()
    act()
    roll_up()
    found = moved(before, scraped())
    return {name: by for name, by in found.items() if not name.startswith(TIMES) and "waiting" not in name}


def test_a_submit_over_rest_is_a_job_created_and_one_that_waits(world: World) -> None:
    def submit() -> None:
        assert api(world.operator).post("/api/v1/jobs/", ADD).status_code == 201

    assert come_of(submit) == {
        f"jobs_created_total {PYTHON}": 1, "queue_depth": 1, "jobs status=queued": 1,
    }  # fmt: skip


def test_a_claim_is_an_active_job(world: World) -> None:
    make_job(world.org)

    assert come_of(claim_all) == {
        "queue_depth": -1, "jobs status=queued": -1, "active_jobs_count": 1, "jobs status=running": 1,
        "worker_slots_busy": 1,
    }  # fmt: skip


def test_a_job_that_is_done_is_completed(world: World) -> None:
    assert come_of(lambda: make_done(world.org)) == {
        f"jobs_created_total {PYTHON}": 1, f"jobs_completed_total {PYTHON} status=done": 1, "jobs status=done": 1,
    }  # fmt: skip


def test_an_attempt_that_fails_is_failed_and_retried(world: World) -> None:
    job = make_job(world.org)

    assert come_of(lambda: ended_job(job, Outcome.ERROR, error="e", retry_seconds=60.0)) == {
        f"jobs_failed_total {PYTHON}": 1, f"jobs_retried_total {PYTHON}": 1,
        "queue_depth": -1, "jobs status=queued": -1, "jobs status=scheduled": 1,
    }  # fmt: skip


def test_a_job_that_fails_for_good_is_a_dead_letter(world: World) -> None:
    job = make_job(world.org)

    assert come_of(lambda: ended_job(job, Outcome.ERROR, error="e", permanent=True)) == {
        f"jobs_failed_total {PYTHON}": 1, f"jobs_sent_to_dlq_total {PYTHON}": 1,
        f"jobs_completed_total {PYTHON} status=failed": 1,
        "queue_depth": -1, "jobs status=queued": -1, "jobs status=failed": 1, "dlq_size": 1,
    }  # fmt: skip


def test_a_replay_over_rest_is_counted_each_time(world: World) -> None:
    job = make_dead_letter(world.org)

    def replay() -> None:
        assert api(world.operator).post(f"/api/v1/jobs/{job.pk}/replay/").status_code < 300

    once = come_of(replay)
    ended_job(job, Outcome.ERROR, error="e", permanent=True)

    assert once == {
        f"jobs_replayed_total {PYTHON}": 1,
        "dlq_size": -1, "jobs status=failed": -1, "queue_depth": 1, "jobs status=queued": 1,
    }  # fmt: skip
    assert come_of(replay) == once


def test_a_cancel_over_rest_is_a_job_completed(world: World) -> None:
    job = make_job(world.org)

    def cancel() -> None:
        assert api(world.operator).post(f"/api/v1/jobs/{job.pk}/cancellation/").status_code < 300

    assert come_of(cancel) == {
        f"jobs_completed_total {PYTHON} status=cancelled": 1, "jobs status=cancelled": 1,
        "queue_depth": -1, "jobs status=queued": -1,
    }  # fmt: skip


def test_a_lease_that_runs_out_is_reclaimed(world: World) -> None:
    make_job(world.org)
    claim_all()
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))

    found = come_of(rescue)

    assert found["leases_reclaimed_total"] == found[f"jobs_failed_total {PYTHON}"] == 1
    assert found[f"jobs_retried_total {PYTHON}"] == found["queue_depth"] == 1


def test_times_are_in_their_histograms(world: World) -> None:
    roll_up()
    before = scraped()
    make_job(world.org)
    make_job(world.org)
    for claimed, seconds, outcome in zip(claim_all(), (3.0, 40.0), (Outcome.DONE, Outcome.ERROR), strict=True):
        Lease.objects.filter(job_id=claimed.job_id).update(
            leased_at=Now() - timedelta(seconds=seconds), queued_at=Now() - timedelta(seconds=seconds + 100)
        )
        assert finish_one(claimed, outcome, error="e", permanent=True)
    roll_up()

    found = moved(before, scraped())

    assert "job_duration_seconds_bucket job_type=python le=1.024" not in found
    assert found["job_duration_seconds_bucket job_type=python le=4.096"] == 1
    assert found["job_duration_seconds_count job_type=python"] == 1
    assert found["job_duration_seconds_sum job_type=python"] == pytest.approx(3, abs=1)
    assert found["job_processing_duration_seconds_bucket le=32.768"] == 1
    assert found["job_processing_duration_seconds_bucket le=+Inf"] == 2
    assert found["job_processing_duration_seconds_sum"] == pytest.approx(43, abs=2)
    assert "job_wait_seconds_bucket le=65.536" not in found
    assert found["job_wait_seconds_bucket le=131.072"] == found["job_wait_seconds_count"] == 2


@pytest.mark.parametrize("ms", [0.2, 7.9, 8.1, 100, 4096.5, 1e5])
def test_what_is_in_a_bucket_is_not_beyond_its_bound(ms: float) -> None:
    for bound, count in buckets({bin_of(Measure.WAIT, ms): 1}, Measure.WAIT, range(3, 23)):
        assert count == (ms / 1000 <= float(bound))


def test_what_is_deleted_has_happened_all_the_same(world: World, settings: Settings) -> None:
    make_done(world.org)
    make_dead_letter(world.org)
    roll_up()
    before = scraped()
    settings.RETENTION_DAYS = settings.DEAD_LETTER_RETENTION_DAYS = 0
    Job.objects.update(finished_at=Now() - timedelta(days=1))
    prune = Prune()
    eventually(lambda: not prune() and not Job.objects.exists())
    roll_up()

    fallen = {name: by for name, by in moved(before, scraped()).items() if by < 0}

    assert value(before, "jobs_completed_total", job_type="python", status="done") == 1
    assert fallen == {"dlq_size": -1, "jobs status=done": -1, "jobs status=failed": -1}


def test_what_an_erased_organisation_had_answered_from_memory_stays(world: World) -> None:
    ClassifierCount.objects.create(org_id=world.org.pk, hits=7, misses=3)
    ClassifierCount.objects.create(org_id=world.rival.pk, hits=1, misses=1)

    assert come_of(lambda: rows_of("erase_answers")(world.org.pk)) == {}
    assert come_of(lambda: rows_of("erase_answers")(world.rival.pk)) == {}

    assert (value(scraped(), "classification_cache_hits_total"), ClassifierCount.objects.count()) == (8, 1)


def test_a_type_that_is_not_ours_is_other(world: World) -> None:
    make_done(world.org)
    Attempt.objects.update(type="made-up")
    Job.objects.update(type="made-up")
    roll_up()

    assert set(Total.objects.values_list("type", "created", "done")) == {("other", 1, 1)}
    assert value(scraped(), "job_duration_seconds_count", job_type="other") == 1


def test_before_anything_ran_each_type_has_its_series(world: World) -> None:
    """The first dead letter is one more than none, and not the beginning of a series."""
    found = scraped()

    for job_type in [*registry.types(), Total.OTHER]:
        assert value(found, "jobs_sent_to_dlq_total", job_type=job_type) == 0
        assert value(found, "jobs_completed_total", job_type=job_type, status="failed") == 0


def test_in_any_steps_it_is_the_same(world: World) -> None:
    """A range is added once, however many there are."""
    for _ in range(3):
        make_done(world.org)
        make_dead_letter(world.rival)
    roll_up(batch=2)

    (found,) = Total.objects.values("created", "done", "dead", "failed")
    assert found == {"created": 6, "done": 3, "dead": 3, "failed": 3}
