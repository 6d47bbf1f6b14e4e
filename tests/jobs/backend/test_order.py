"""Which task comes first."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Extract
from django.utils import timezone
from django_tasks.base import TASK_MAX_PRIORITY, TASK_MIN_PRIORITY
from pytest_django import Settings

from jobs.models import Job, Ready
from jobs.queue.promote import promote
from orgs.models import Org
from tests.jobs.backend import tasks
from tests.jobs.backend.conftest import RunWorker


@pytest.fixture(autouse=True)
def short(settings: Settings) -> None:
    """So that none has to wait for its organisation's share: what comes later would have the longer wait to stretch."""
    settings.DEFAULT_PREDICTED_MS = 100


def enqueue(*priorities: int) -> None:
    """Tasks of one kind, at one time however slow this host is; each marks its priority."""
    for priority in priorities:
        tasks.mark.using(priority=priority).enqueue(str(priority))
    first = Ready.objects.order_by("queued_at").values_list("queued_at", flat=True)[0]
    Ready.objects.update(rank=F("rank") - Extract(F("queued_at") - first, "epoch"))


def ran() -> list[int]:
    return [int(word) for word in tasks.RAN]


def test_tasks_above_and_below_zero_run_before_and_after_the_rest(org: Org, run_worker: RunWorker) -> None:
    enqueue(0, -1, 1)

    run_worker()

    assert ran() == [1, 0, -1]


@pytest.mark.parametrize(
    "priorities",
    [(1, 2, 10, 20), (-20, -10, -2, -1), (TASK_MIN_PRIORITY, -3, 0, 3, TASK_MAX_PRIORITY)],
    ids=["above", "below", "all"],
)
def test_a_higher_priority_runs_first(priorities: tuple[int, ...], org: Org, run_worker: RunWorker) -> None:
    enqueue(*priorities)

    run_worker()

    assert ran() == sorted(priorities, reverse=True)


def test_of_one_priority_the_one_enqueued_first_runs_first(org: Org, run_worker: RunWorker) -> None:
    for number in range(5):
        tasks.mark.using(priority=10).enqueue(str(number))

    run_worker()

    assert ran() == [0, 1, 2, 3, 4]


def enqueue_for_later(*hours: int) -> None:
    now = timezone.now()
    for number in hours:
        tasks.mark.using(run_after=now + timedelta(hours=number)).enqueue(str(number))


def test_tasks_become_due_in_order_of_their_times(org: Org, run_worker: RunWorker) -> None:
    enqueue_for_later(3, 1, 2)

    for _ in range(3):
        an_hour_passes()
        promote()
    run_worker()

    assert ran() == [1, 2, 3]


def test_of_tasks_that_become_due_at_once_the_earlier_runs_first(org: Org, run_worker: RunWorker) -> None:
    """As after an hour without a leader."""
    enqueue_for_later(3, 1, 2)

    for _ in range(3):
        an_hour_passes()
    promote()
    run_worker()

    assert ran() == [1, 2, 3]


def test_what_is_not_due_does_not_run_whatever_its_priority(org: Org, run_worker: RunWorker) -> None:
    tasks.mark.using(priority=100, run_after=timezone.now() + timedelta(hours=2)).enqueue("100")
    enqueue(-2, 2, 0)

    promote()
    run_worker()
    assert ran() == [2, 0, -2]

    an_hour_passes()
    an_hour_passes()
    promote()
    run_worker()
    assert ran() == [2, 0, -2, 100]


def an_hour_passes() -> None:
    Job.objects.filter(status="scheduled").update(run_at=F("run_at") - timedelta(hours=1))
