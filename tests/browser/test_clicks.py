"""How many clicks lie between the overview and what has gone wrong: made with the mouse, counted by the page."""

import pytest
from django.db import transaction
from django.db.models import Max
from playwright.sync_api import Locator, Page, expect

from jobs.models import Attempt, Follower, Job
from jobs.queue.bulk_run import run_bulk
from jobs.search.index import count_errors, index
from jobs.states import Outcome
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import ended_job, make_dead_letter, make_done, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COUNT = "addEventListener('click', event => { if (event.isTrusted) clicked(); }, { capture: true });"
CRASH = {"error_type": "ZeroDivisionError", "error": "division by zero", "permanent": True}


class Mouse:
    """Clicks as the browser saw them; pages that are left take none of them along."""

    def __init__(self, page: Page) -> None:
        self.made = 0
        page.expose_function("clicked", self.count)
        page.add_init_script(COUNT)
        page.goto("/")

    def count(self) -> None:
        self.made += 1

    def on(self, place: Locator) -> None:
        before = self.made
        place.click()
        place.page.wait_for_load_state("load")
        assert self.made == before + 1, "the page counted another number of clicks"


@pytest.fixture
def wrong(world: World) -> Job:
    """One job that crashed, among others that are well and, later than it, many that failed as jobs do."""
    for _ in range(3):
        make_done(world.org)
    job = ended_job(make_job(world.org, title="The wrong one"), Outcome.ERROR, **CRASH)
    for _ in range(12):
        make_dead_letter(world.org)
    Follower.objects.create(name="errors", final_id=Attempt.objects.aggregate(last=Max("pk"))["last"])
    count_errors()
    index(list(Job.objects.values_list("pk", flat=True)))
    return job


def at(page: Page, job: Job) -> None:
    expect(page.locator("h1")).to_have_text(job.title)
    expect(page.locator("h1 + p .status")).to_have_text("failed")


def test_the_latest_failure_is_one_click_away_and_tried_again_by_the_second(site: Site, world: World) -> None:
    job = make_dead_letter(world.org, title="The wrong one")
    page = site.visit("/", world.operator)
    mouse = Mouse(page)

    mouse.on(page.locator("#beside").get_by_role("link", name="The wrong one"))
    at(page, job)
    assert mouse.made <= 3
    mouse.on(page.get_by_role("button", name="Replay", exact=True))

    expect(page.locator("h1 + p .status")).to_have_text("queued")
    assert mouse.made <= 4


def test_the_odd_one_among_many_failures_is_three_clicks_away(site: Site, world: World, wrong: Job) -> None:
    page = site.visit("/", world.operator)
    mouse = Mouse(page)
    expect(page.locator("#beside")).not_to_contain_text(wrong.title)

    mouse.on(page.locator("#nav").get_by_role("link", name="Errors", exact=True))
    mouse.on(page.get_by_role("link", name="ZeroDivisionError"))
    mouse.on(page.get_by_role("link", name=wrong.title))
    at(page, wrong)
    assert mouse.made <= 3

    mouse.on(page.get_by_role("button", name="Replay", exact=True))
    expect(page.locator("h1 + p .status")).to_have_text("queued")
    assert mouse.made <= 4


def test_a_job_that_nobody_takes_is_two_clicks_away(site: Site, world: World) -> None:
    make_done(world.org)
    make_job(world.org, queue="lonely", title="Stuck")
    page = site.visit("/", world.viewer)
    mouse = Mouse(page)

    mouse.on(page.locator("#unserved-lonely").get_by_role("link", name="lonely"))
    mouse.on(page.get_by_role("link", name="Stuck"))

    expect(page.locator("#waits")).to_contain_text("No worker that is online takes python jobs")
    assert mouse.made <= 3


def test_all_that_failed_alike_are_sent_back_within_five(site: Site, world: World, wrong: Job) -> None:
    page = site.visit("/", world.operator)
    mouse = Mouse(page)

    mouse.on(page.locator("#nav").get_by_role("link", name="Errors", exact=True))
    mouse.on(page.get_by_role("link", name="ZeroDivisionError"))
    mouse.on(page.get_by_role("link", name="Replay these …"))
    mouse.on(page.get_by_role("button", name="Replay"))
    page.wait_for_url("**/bulk-operations/*-*/")

    assert mouse.made <= 5
    with transaction.atomic():
        run_bulk()
    expect(page.locator("#bulk-state")).to_have_text("done")
    assert list(Job.objects.filter(status="queued")) == [wrong]
