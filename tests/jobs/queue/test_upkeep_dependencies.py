"""The age of jobs that others wait for, and of batches."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from jobs.models import Batch, Dependency, Job
from jobs.queue import sql
from jobs.queue.batches import enqueue_batch
from jobs.queue.enqueue import NewJob
from jobs.queue.release import release
from jobs.queue.upkeep import Prune
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job
from tests.jobs.queue.test_upkeep import aged, sweep

pytestmark = pytest.mark.django_db


def test_a_job_that_others_still_wait_for_stays(world: World) -> None:
    parent = make_job(world.org)
    child = make_job(world.org, after_end=[parent.pk])
    finish_one(claim_all()[0])
    parent.refresh_from_db()
    parent_id = aged(parent, days=31)
    Dependency.objects.update(parent_id=parent_id)
    sweep(Prune())
    assert Job.objects.filter(pk=parent_id).exists()

    Dependency.objects.all().delete()
    sweep(Prune())

    assert list(Job.objects.values_list("pk", flat=True)) == [child.pk]


def test_what_a_job_waited_for_goes_with_it(world: World) -> None:
    parent = make_job(world.org)
    child = make_job(world.org, after=[parent.pk])
    sql.run("cancel", job_ids=[child.pk], org_id=world.org.pk, actor="a", reason="")
    child.refresh_from_db()
    Dependency.objects.update(child_id=aged(child, days=31))

    sweep(Prune())

    assert not Dependency.objects.exists()
    assert list(Job.objects.values_list("pk", flat=True)) == [parent.pk]


def test_a_batch_goes_after_its_last_job(world: World) -> None:
    made = enqueue_batch([NewJob("python", {"task": "demo.fail_always"})] * 2, org=world.org, user=None)
    for claimed in claim_all():
        finish_one(claimed)
    release()
    Batch.objects.update(finished_at=Now() - timedelta(days=31))
    aged(Job.objects.get(pk=made.job_ids[0]), days=31)
    sweep(Prune())
    left = Batch.objects.count()

    aged(Job.objects.get(pk=made.job_ids[1]), days=31)
    sweep(Prune())

    assert left == 1
    assert not Batch.objects.exists()
    assert not Job.objects.exists()
