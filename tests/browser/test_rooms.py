"""Schedules, queues and workers as people handle them, with real processes behind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from jobs.models import Job, Queue, Schedule, WorkerProcess
from tests.browser.conftest import Site
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_job
from tests.processes import Fleet

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
Start = Callable[[], None]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    found = Fleet(tmp_path)
    yield found
    for process in found.processes:
        process.close()


def test_a_schedule_made_by_its_form_fires(site: Site, world: World, fleet: Fleet) -> None:
    page = site.visit("/schedules/new/?type=python", world.owner)
    page.locator("[name=schedule-name]").fill("each minute")
    page.locator("[name=schedule-cron]").fill("* * * * *")
    expect(page.locator("#preview")).to_contain_text("Every minute")
    page.get_by_role("combobox", name="Task").select_option("demo.add")
    page.locator("#job-arg_a").fill("20")
    page.locator("#job-arg_b").fill("22")
    page.get_by_role("button", name="Make the schedule").click()
    expect(page.locator("h1")).to_have_text("each minute")
    expect(page.locator("#history")).to_contain_text("not been due yet")

    fleet.scheduler()

    eventually(lambda: Job.objects.filter(payload__kwargs={"a": 20, "b": 22}).exists(), within_seconds=120)
    page.reload()
    page.locator("#history td a").first.click()
    expect(page.locator("#job")).to_contain_text("demo.add")


def test_a_schedule_is_run_now_and_an_older_form_is_refused(site: Site, world: World) -> None:
    schedule = Schedule.objects.create(org=world.org, name="s", cron="@daily", job=JOB)
    page = site.visit(f"/schedules/{schedule.pk}/", world.owner)
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("#job")).to_be_visible()
    assert Job.objects.count() == 1

    mine = site.visit(f"/schedules/{schedule.pk}/edit/", world.owner)
    theirs = site.visit(f"/schedules/{schedule.pk}/edit/", world.owner)
    theirs.locator("[name=schedule-cron]").fill("0 5 * * *")
    theirs.get_by_role("button", name="Save").click()
    expect(theirs.locator("h1")).to_have_text("s")
    mine.locator("[name=schedule-cron]").fill("0 9 * * *")
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator("#theirs")).to_contain_text("0 5 * * *")
    assert Schedule.objects.get().cron == "0 5 * * *"
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator("h1")).to_have_text("s")
    assert Schedule.objects.get().cron == "0 9 * * *"
    # the browser says of a refused form that it was one
    site.complaints[:] = [text for text in site.complaints if "409" not in text]


def test_a_queue_is_paused_and_goes_on(site: Site, world: World) -> None:
    make_job(world.org)
    page = site.visit("/queues/default/", world.owner)
    page.locator("#pause-default > summary").click()
    page.locator("#reason-default").fill("a fire")
    page.get_by_role("button", name="Pause default").click()
    expect(page.locator("#state")).to_contain_text("a fire")
    assert Queue.objects.get().paused
    page.get_by_role("button", name="Resume default").click()
    expect(page.locator("#state")).not_to_contain_text("a fire")
    assert not Queue.objects.get().paused


def test_a_worker_is_quiet_and_takes_jobs_again_while_one_watches(site: Site, world: World, worker: Start) -> None:
    worker()
    process = WorkerProcess.objects.get(kind="worker", status="online")
    page = site.visit(f"/workers/{process.pk}/", world.platform_admin)
    page.get_by_role("button", name="Quiet: take no more").click()
    expect(page.locator("#worker")).to_contain_text("quiet since")
    job = make_job(world.org)
    page.get_by_role("button", name="Take jobs again").click()
    expect(page.locator("#worker")).to_contain_text("takes jobs again since")
    eventually(lambda: Job.objects.get(pk=job.pk).status == "done", within_seconds=60)
