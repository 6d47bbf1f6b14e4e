"""The page of a job as people use it: submitted by each form, followed, broken, replayed, corrected, explained."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from jobs.forms import FORMS
from jobs.models import Job, Label
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Start = Callable[[], None]
FAILS = {"task": "demo.fail_always", "kwargs": {}}


@pytest.mark.parametrize("type", sorted(FORMS))
def test_a_job_of_each_type_is_submitted_by_its_form(site: Site, world: World, settings: Settings, type: str) -> None:
    settings.HTTP_ALLOW_HOSTS, settings.HTTP_PORTS = ["127.0.0.1:8000"], [80, 443, 8000]
    page = site.visit(f"/jobs/submit/?type={type}", world.operator)
    page.get_by_label("Title").fill(f"By the form of {type}")
    expect(page.get_by_label("Forecast")).to_contain_text("Takes about")
    expect(page.locator("#preview")).to_be_visible()

    page.get_by_role("button", name="Submit", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text(f"By the form of {type}")
    expect(page.locator("h1 + p .badge").first).to_have_text(type)
    assert Job.objects.get().type == type


def test_a_job_is_followed_to_its_end_and_says_how_near_the_forecast_was(
    site: Site, world: World, worker: Start
) -> None:
    worker()
    page = site.visit("/jobs/submit/?type=python", world.operator)
    page.get_by_role("combobox", name="Task").select_option("demo.add")
    page.locator("#job-arg_a").fill("9007199254740993")
    page.locator("#job-arg_b").fill("0")
    page.get_by_role("button", name="Submit", exact=True).click()

    expect(page.locator("h1 + p .status")).to_have_text("done")

    expect(page.get_by_role("region", name="Result")).to_contain_text("9007199254740993")
    expect(page.locator("#payload-tree")).to_contain_text("9007199254740993")
    expect(page.locator("#truth-start")).to_contain_text("within the range")
    expect(page.locator("#track .track rect")).to_have_count(2)
    page.locator("#history-compact").click()
    expect(page.locator(".timeline")).to_have_count(0)
    expect(page.locator("#track .track")).to_be_visible()


def test_a_job_fails_is_a_dead_letter_and_is_replayed(site: Site, world: World, worker: Start) -> None:
    make_job(world.org, payload=FAILS, max_attempts=1, title="Broken on purpose")
    worker()
    page = site.visit("/dead-letters/", world.operator)
    page.get_by_role("link", name="Broken on purpose").click()
    expect(page.locator("h1 + p .status")).to_have_text("failed")
    expect(page.locator("#attempt-1")).to_contain_text("RuntimeError")

    page.get_by_role("button", name="Replay", exact=True).click()

    expect(page.get_by_role("status").first).to_contain_text("Replayed")
    expect(page.locator("#attempt-2")).to_be_visible()
    expect(page.locator("#lineage")).to_contain_text("Replayed once")


def test_a_waiting_job_says_why_it_waits_and_what_decided(site: Site, world: World) -> None:
    for _ in range(3):
        make_job(world.org)
    job = make_job(world.org, urgency="low")
    page = site.visit(f"/jobs/{job.pk}/", world.viewer)

    expect(page.get_by_role("heading", name="Why this order?")).to_be_visible()
    expect(page.locator("#part-urgency")).to_contain_text("Low")
    expect(page.locator("#part-urgency svg.later")).to_be_visible()
    expect(page.locator("#waits")).to_contain_text("No worker that is online takes python jobs")
    expect(page.get_by_role("heading", name="Why this category and urgency?")).to_be_visible()


def test_a_category_is_corrected_and_is_in_the_list_of_corrections(site: Site, world: World) -> None:
    job = make_job(world.org, title="The printer is on fire")
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    page.get_by_text("Correct it").click()
    page.locator("#correct-category").select_option("Infrastructure")
    page.get_by_role("button", name="Correct", exact=True).click()

    expect(page.locator("#learnt")).to_contain_text("Not learnt yet")
    assert Label.objects.get().category == "Infrastructure"
    page.goto("/classifier/")
    expect(page.locator("#corrections")).to_contain_text("The printer is on fire")


def test_a_job_is_put_off_run_now_and_moved(site: Site, world: World) -> None:
    job = make_job(world.org)
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    page.locator("#snooze summary").click()
    page.locator("#snooze-reason").fill("the disk is full")
    page.get_by_role("button", name="Put it off").click()
    expect(page.locator("h1 + p .status")).to_have_text("scheduled")
    expect(page.locator("#track")).to_contain_text("snoozed: the disk is full")

    page.locator("#run-now summary").click()
    page.get_by_role("button", name="Queue it now").click()
    expect(page.locator("h1 + p .status")).to_have_text("queued")

    page.locator("#change summary").click()
    page.locator("#change-urgency").select_option("high")
    page.locator("#change-queue").fill("elsewhere")
    page.get_by_role("button", name="Change it").click()
    expect(page.locator("#track")).to_contain_text("from default")
    job.refresh_from_db()
    assert (job.urgency, job.queue) == ("high", "elsewhere")


def test_what_is_typed_into_a_form_survives_the_refresh(site: Site, world: World) -> None:
    job = make_job(world.org)
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    page.locator("#change summary").click()
    page.locator("#change-reason").fill("half a sen")
    Job.objects.filter(pk=job.pk).update(category="Network")

    expect(page.locator("#job")).to_contain_text("Network")

    assert page.locator("#change-reason").input_value() == "half a sen"
    expect(page.locator("#change-reason")).to_be_visible()
