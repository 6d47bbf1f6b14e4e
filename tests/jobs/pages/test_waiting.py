"""Why a job has not started, as its page tells it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.models import Attempt, Job, Queue, WorkerProcess
from jobs.queue.control import pause
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import browser, make_done, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def page_of(world: World, job: Job) -> Element:
    return read(browser(world.operator).get(f"/jobs/{job.pk}/"))


def worker(queue: str, **fields: Any) -> WorkerProcess:
    started = {"started_at": "2026-01-01T00:00Z", "beat_at": "2026-01-01T00:00Z"}
    shape = {"kind": "worker", "hostname": "h", "pid": 1, "version": "0", "slots": 1, "types": ["python"]}
    id = "01900000-0000-7000-8000-00000000000a"
    return WorkerProcess.objects.create(id=id, queues=[queue], **{**shape, **started, **fields})


def test_a_waiting_job_says_what_stands_before_it_and_when_it_starts(world: World) -> None:
    worker("default")
    for _ in range(2):
        make_job(world.org)
    job = make_job(world.org)

    page = page_of(world, job)

    waits = page.one("section", css="queued").text
    assert "2 jobs of the queue before it; starts in about 4.0 s (1.5 s to 9.0 s), takes about 2.0 s" in waits
    assert "Why this place?" in waits
    assert "plus 1.0 s that its share of the workers takes for what Acme had put in before, multiplied by 1.00" in waits


def test_each_part_of_the_rank_is_told(world: World) -> None:
    worker("default")
    job = make_job(world.org, urgency="low")
    Job.objects.update(rank_offset=1200, stretch=20, share_offset=-60)

    waits = page_of(world, job).one("section", css="queued").text

    assert "minus 1 m by which the queue was behind, plus 1 m that its share of the workers takes" in waits
    assert "multiplied by 20.00 for a predicted runtime of 2.0 s beside what is usual there and low urgency." in waits


def test_a_queue_in_order_of_arrival_says_so(world: World) -> None:
    worker("default")
    Queue.objects.create(org=world.org, name="default", policy="fifo")

    waits = page_of(world, make_job(world.org)).one("section", css="queued").text

    assert "had put in before. It goes by the time of queueing alone." in waits


def test_the_page_says_when_it_was_to_start_and_when_it_did(world: World) -> None:
    worker("default")
    job = make_done(world.org)
    Job.objects.update(
        expected_start_at=NOON, expected_start_low_at=NOON - MINUTE, expected_start_high_at=NOON + MINUTE
    )
    Attempt.objects.update(started_at=NOON + MINUTE / 2)

    assert "to start 12:00:00 11:59:00 – 12:01:00 started 12:00:30" in page_of(world, job).text


def test_a_job_that_no_worker_takes_names_the_command(world: World) -> None:
    worker("other")
    job = make_job(world.org)

    page = page_of(world, job)

    assert "manage.py runworker --queues default" in page.one("section", css="queued").text


def test_a_job_of_a_paused_queue_says_who_paused_it_and_why(world: World) -> None:
    job = make_job(world.org)
    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN), reason="the printer burns")

    page = page_of(world, job)

    waits = page.one("section", css="queued").text
    assert "paused by owner" in waits
    assert "the printer burns" in waits


def test_a_job_that_waits_for_its_time_says_when(world: World) -> None:
    job = make_job(world.org, delay_seconds=3600)

    page = page_of(world, job)

    assert "It starts in 59 m" in page.one("section", css="scheduled").text


def test_a_job_that_waits_for_others_names_them(world: World) -> None:
    first, second = make_job(world.org), make_job(world.org)
    job = make_job(world.org, after=[first.pk], after_end=[second.pk])

    page = page_of(world, job)
    row = browser(world.operator).get("/jobs/").content.decode()

    waits = page.one("section", css="scheduled").text
    assert "It waits for 2 other jobs:" in waits
    assert f"{first.short_id} (done)" in waits
    assert f"{second.short_id} (ended)" in waits
    assert "Due at" not in page.text
    assert "waits for 2" in row
