"""From signing up to a job that is done, as a newcomer does it: with a real worker, without loading a page again."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import PASSWORD, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Start = Callable[[], None]


def sign_up(site: Site) -> Page:
    """A new person with an organisation of his own."""
    page = site.visit("/sign-up/")
    page.get_by_label("Username").fill("newcomer")
    page.get_by_label("E-mail").fill("newcomer@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Organisation").fill("Newcomers")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator(".switcher")).to_have_text("Newcomers")
    return page


def keep(page: Page) -> None:
    """Leave a mark that a page load would wipe out."""
    page.evaluate("window.mark = 'still the same page'")


def kept(page: Page) -> bool:
    return bool(page.evaluate("window.mark === 'still the same page'"))


def test_a_newcomer_signs_up_and_runs_a_task(site: Site, worker: Start) -> None:
    page = sign_up(site)
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_role("link", name="Python task").click()
    page.get_by_role("combobox", name="Task").select_option("demo.add")
    page.locator("#job-arg_a").fill("20")
    page.locator("#job-arg_b").fill("22")
    expect(page.get_by_label("Forecast")).to_contain_text("Takes about")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("#job")).to_contain_text("No worker that is online takes python jobs")
    keep(page)

    worker()

    expect(page.locator("h1 + p .status")).to_have_text("done")
    assert kept(page)
    expect(page.get_by_role("region", name="Result")).to_contain_text("42")
    expect(page.locator(".timeline li")).to_have_count(3)


def test_an_http_job_turns_to_done_while_it_is_watched(site: Site, world: World, worker: Start) -> None:
    worker()
    page = site.visit("/jobs/submit/?type=http", world.operator)
    page.get_by_role("textbox", name="URL").fill(f"{site.url}/healthz")
    page.get_by_label("Title").fill("Is it well?")
    page.get_by_role("button", name="Submit", exact=True).click()
    keep(page)

    expect(page.locator("h1 + p .status")).to_have_text("done")

    assert kept(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Is it well?")
    expect(page.get_by_role("region", name="Result")).to_contain_text("200")
    expect(page.locator("#attempt-1")).to_contain_text("predicted 2.0 s")


def test_a_shell_job_turns_to_done_and_shows_what_it_printed(site: Site, world: World, worker: Start) -> None:
    worker()
    page = site.visit("/jobs/submit/?type=shell", world.operator)
    page.get_by_label("Program").select_option("/bin/echo")
    page.get_by_label("Arguments").fill("hello\nfrom a browser")
    page.get_by_role("button", name="Submit", exact=True).click()
    keep(page)

    expect(page.locator("h1 + p .status")).to_have_text("done")

    assert kept(page)
    expect(page.locator("#log-1 .stdout")).to_contain_text("hello from a browser")


def test_a_running_task_shows_its_progress_and_is_cancelled(site: Site, world: World, worker: Start) -> None:
    job = make_job(world.org, payload={"task": "demo.wait", "kwargs": {"seconds": 120}})
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    keep(page)
    worker()
    expect(page.locator("progress")).to_be_visible()
    assert kept(page)

    page.get_by_text("Cancel", exact=True).click()
    page.get_by_label("Reason").fill("seen enough")
    page.get_by_role("button", name="Stop the running job").click()

    expect(page.locator("h1 + p .status")).to_have_text("cancelled")


def test_the_list_follows_jobs_as_they_come_and_end(site: Site, world: World, worker: Start) -> None:
    page = site.visit("/jobs/", world.viewer)
    expect(page.locator("#jobs")).to_contain_text("No job yet")
    keep(page)

    job = make_job(world.org)
    expect(page.locator(f"#job-{job.pk} .status")).to_have_text("queued")
    worker()

    expect(page.locator(f"#job-{job.pk} .status")).to_have_text("done")
    expect(page.locator("#chip-done")).to_have_text("done 1")
    assert kept(page)
