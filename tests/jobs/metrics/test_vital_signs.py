"""What Prometheus is told of the deployment itself: who leads, who works, and how late what is due is."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.metrics.database import storage, vital_signs
from jobs.models import Delivery, Job, LeaderTerm, Ready, Schedule, WorkerProcess
from orgs.models import Org
from tests.analytics.rows import make_process, make_term
from tests.conftest import World
from tests.factories import claim_all, make_delivery, make_job, make_webhook

pytestmark = pytest.mark.django_db
ABOUT = pytest.approx(100, abs=20)


def told() -> dict[str, float]:
    return {
        " ".join([sample.name.removeprefix("smartqueue_"), *sample.labels.values()]): sample.value
        for metric in vital_signs()
        for sample in metric.samples
    }


def queued_ago(seconds: float) -> None:
    Ready.objects.update(queued_at=Now() - timedelta(seconds=seconds))


def test_of_an_empty_deployment_all_is_nought() -> None:
    found = told()

    assert found.pop("database_bytes") > 1_000_000
    assert set(found.values()) == {0}


def test_the_oldest_that_a_worker_may_take_is_told(world: World) -> None:
    make_job(world.rival)
    queued_ago(100)
    make_job(world.org)

    assert told()["oldest_waiting_seconds"] == ABOUT


@pytest.mark.parametrize("change", [{"held": True}, {"limit_key": "k"}, {"type": "external"}], ids=str)
def test_what_waits_by_the_wish_of_its_organisation_does_not_count(world: World, change: dict[str, object]) -> None:
    make_job(world.org)
    queued_ago(100)
    make_job(world.rival)
    Ready.objects.filter(org_id=world.org.pk).update(**change)

    assert 0 < told()["oldest_waiting_seconds"] < 50


def test_workers_count_while_their_heart_beats() -> None:
    make_process(slots=5)
    make_process(id="018f0000-0000-7000-8000-000000000002", slots=3)
    make_process(id="018f0000-0000-7000-8000-000000000003", kind="scheduler", slots=0)
    both = told()
    WorkerProcess.objects.filter(slots=3).update(beat_at=Now() - timedelta(minutes=1))
    one = told()

    assert (both["worker_count"], both["worker_slots"], both["processes scheduler"]) == (2, 8, 1)
    assert (one["worker_count"], one["worker_slots"], one["processes worker"]) == (1, 5, 1)


def test_slots_are_busy_with_what_runs(world: World) -> None:
    make_job(world.org)
    claim_all()

    assert told()["worker_slots_busy"] == 1


def test_a_leader_leads_while_its_term_is_open_and_fresh() -> None:
    term = make_term(1)
    leads = told()
    LeaderTerm.objects.update(beat_at=Now() - timedelta(minutes=1))
    silent = told()

    assert (leads["leader"], leads["leader_terms_total"]) == (1, term.epoch)
    assert (silent["leader"], silent["leader_terms_total"]) == (0, term.epoch)


def test_what_is_due_and_not_queued_is_late(world: World) -> None:
    make_job(world.org, delay_seconds=60)
    early = told()
    Job.objects.update(run_at=Now() - timedelta(seconds=100))

    assert early["promotion_lag_seconds"] == 0
    assert told()["promotion_lag_seconds"] == ABOUT


def test_a_schedule_is_late_unless_its_organisation_is_stopped(world: World) -> None:
    at = timezone.now() - timedelta(seconds=100)
    Schedule.objects.create(org=world.org, name="n", cron="* * * * *", job={}, next_at=at)
    late = told()
    Org.objects.update(suspended_at=Now())

    assert late["schedule_lag_seconds"] == ABOUT
    assert told()["schedule_lag_seconds"] == 0


def test_a_webhook_that_fails_and_one_that_was_turned_off_are_told(world: World) -> None:
    hook, other = make_webhook(world.org), make_webhook(world.rival)
    make_delivery(hook, next_at=Now() - timedelta(seconds=100))
    fresh = told()
    Delivery.objects.update(attempt=2, error="refused", next_at=Now() + timedelta(hours=1))
    other.active, other.disabled_reason = False, "It answered 410."
    other.save()
    failing = told()

    assert (fresh["delivery_lag_seconds"], fresh["webhooks_failing"], fresh["webhooks_disabled"]) == (ABOUT, 0, 0)
    assert (failing["delivery_lag_seconds"], failing["webhooks_failing"], failing["webhooks_disabled"]) == (0, 1, 1)


def test_the_disk_of_artefacts_is_told_unless_they_are_in_s3(settings: Settings, tmp_path: object) -> None:
    # the folder is made with the first file
    settings.MEDIA_ROOT = f"{tmp_path}/artefacts"
    found = {metric.name: metric.samples[0].value for metric in storage()}
    settings.ARTEFACTS_IN_S3 = True

    assert 0 < found["smartqueue_artefact_disk_free_bytes"] < found["smartqueue_artefact_disk_bytes"]
    assert list(storage()) == []
