"""Why a job has not started, as its page tells it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.models import Attempt, Job, WorkerProcess
from jobs.queue.claim import Ask
from jobs.queue.control import pause
from jobs.queue.limit_control import set_limit
from jobs.queue.limits import Walk, claim_limited
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import WORKER, browser, make_done, make_job
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
    assert waits == (
        "Starts in about 4.0 s (1.5 s – 9.0 s) because 2 jobs of about 2.0 s each are ahead on 1 slot; "
        "takes about 2.0 s."
    )


def test_the_next_one_says_that_it_is(world: World) -> None:
    worker("default")

    assert "it is next in its queue" in page_of(world, make_job(world.org)).one("section", css="queued").text


def test_a_job_that_is_limited_says_by_what_and_how_far(world: World) -> None:
    worker("default")
    owner = Scope(world.owner, world.org, Role.ORG_ADMIN)
    set_limit("queue", "default", scope=owner, max_running=1)
    set_limit("key", "*", scope=owner, rate_count=5, rate_seconds=60)
    set_limit("key", "printer", scope=owner, rate_count=3, rate_seconds=60)
    make_job(world.org)
    claim_limited(Ask("default", ("python",), 1, WORKER, "tester-1"), Walk())
    job = make_job(world.org, limit_key="printer")

    waits = page_of(world, job).one("section", css="queued").text

    assert "queue default : 1 of 1 running" in waits
    assert "key printer : 3 starts in 1 m (3.0 left now)" in waits
    assert "key *" not in waits


def test_the_page_says_when_it_was_to_start_and_when_it_did(world: World) -> None:
    worker("default")
    job = make_done(world.org)
    Job.objects.update(
        expected_start_at=NOON, expected_start_low_at=NOON - MINUTE, expected_start_high_at=NOON + MINUTE
    )
    Attempt.objects.update(started_at=NOON + MINUTE / 2)

    page = page_of(world, job)
    assert page.by_id("truth-start").text == "Start 12:00:00 11:59:00 – 12:01:00 12:00:30 30 s later, within the range"
    assert "12:00:02" in page.by_id("truth-end").text
    assert page.by_id("truth-run").text.startswith("Run 2.0 s")


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
