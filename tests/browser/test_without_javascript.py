"""Everything works as links and forms."""

from collections.abc import Callable

import pytest
from django.db import transaction
from playwright.sync_api import expect

from jobs.models import Job
from jobs.queue.bulk_run import run_bulk
from tests.browser.conftest import Site
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import PASSWORD, make_dead_letter, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_signing_in_submitting_and_cancelling(site: Site, world: World) -> None:
    page = site.visit("/jobs/submit/?type=python", script=False)
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("combobox", name="Task").select_option("demo.wait")
    page.get_by_role("button", name="Show its arguments").click()
    expect(page.locator("#job-arg_seconds")).to_have_value("1.0")
    page.get_by_role("button", name="What would it take?").click()
    expect(page.locator("#forecast")).to_contain_text("Takes about 2.0 s")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("h1")).to_have_text("demo.wait")

    page.get_by_text("Cancel", exact=True).click()
    page.get_by_label("Reason").fill("no script was needed")
    page.get_by_role("button", name="Cancel the job").click()

    expect(page.locator("h1 + p .status")).to_have_text("cancelled")
    expect(page.locator(".timeline")).to_contain_text("no script was needed")


def test_a_job_runs_and_a_load_shows_it(site: Site, world: World, worker: Callable[[], None]) -> None:
    job = make_job(world.org)
    worker()
    eventually(lambda: Job.objects.get(pk=job.pk).status == "done")

    page = site.visit(f"/jobs/{job.pk}/", world.viewer, script=False)

    expect(page.locator("h1 + p .status")).to_have_text("done")


def test_filtering_sorting_paging_and_ticking(site: Site, world: World) -> None:
    jobs = [make_job(world.org, name=f"job-{number:02}", queue="a") for number in range(30)]
    make_job(world.org, queue="b")
    page = site.visit("/jobs/?limit=25", world.operator, script=False)

    page.get_by_role("search").get_by_label("Queue", exact=True).select_option("a")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("link", name="Job", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(25)
    expect(page.locator("tbody tr .name").first).to_have_text("job-00")
    page.get_by_role("link", name="Next page").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    page.locator(f"#pick-{jobs[27].pk}").check()
    page.get_by_role("button", name="Cancel selected").click()

    expect(page.locator(".messages")).to_contain_text("1 cancelled.")
    expect(page.locator(f"#job-{jobs[27].pk} .status")).to_have_text("cancelled")
    expect(page.locator("tbody tr")).to_have_count(5)


def test_replaying_all_that_match(site: Site, world: World) -> None:
    for queue in ("a", "a", "b"):
        make_dead_letter(world.org, queue=queue)
    page = site.visit("/dead-letters/?queue=a", world.operator, script=False)

    page.get_by_role("link", name="Replay all that match").click()
    page.get_by_role("button", name="Replay: 2 jobs").click()
    page.wait_for_url("**/bulk-operations/*-*/")
    with transaction.atomic():
        run_bulk()
    page.reload()

    expect(page.locator("#bulk-state")).to_have_text("done")
    assert Job.objects.filter(status="failed").count() == 1


def test_pausing_and_resuming_a_queue(site: Site, world: World) -> None:
    make_job(world.org)
    page = site.visit("/queues/", world.owner, script=False)

    page.get_by_label("Pause default", exact=True).click()
    page.locator("#reason-default").fill("a fire")
    page.get_by_role("button", name="Pause default").click()
    expect(page.locator("#queue-default")).to_contain_text("a fire")
    page.get_by_role("button", name="Resume default").click()

    expect(page.locator("#queue-default .badge")).to_have_count(0)
