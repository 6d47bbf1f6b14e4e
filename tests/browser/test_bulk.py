"""Acting on many jobs, and taking it back, as a person does it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from playwright.sync_api import Page, expect
from pytest_django import Settings

from jobs.models import BulkOperation, Job, Queue
from jobs.queue.bulk_run import run_bulk
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import claim_all, make_dead_letter, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def lead(batches: int = 100) -> None:
    """What the leader would do by now."""
    BulkOperation.objects.filter(state="pending").update(next_at=Now() - timedelta(seconds=1))
    for _ in range(batches):
        with transaction.atomic():
            if not run_bulk():
                return


class Clicks:
    def __init__(self, page: Page) -> None:
        self.page, self.made = page, 0

    def on(self, role: Any, name: str) -> None:
        self.page.get_by_role(role, name=name).first.click()
        self.made += 1


@pytest.mark.parametrize("script", [True, False])
def test_all_that_failed_are_replayed_within_five_clicks(site: Site, world: World, script: bool) -> None:
    for _ in range(3):
        make_dead_letter(world.org)
    page = site.visit("/", world.operator, script=script)
    clicks = Clicks(page)
    clicks.on("link", "Dead letters")
    clicks.on("link", "Replay all that match …")
    expect(page.get_by_text("This sends 3 dead letters in acme back")).to_be_visible()
    clicks.on("button", "Replay: 3 jobs")
    page.wait_for_url("**/bulk-operations/*-*/")
    assert clicks.made <= 5

    lead()
    if not script:
        page.reload()
    expect(page.locator("#bulk-state")).to_have_text("done")
    assert set(Job.objects.values_list("status", flat=True)) == {"queued"}


def test_one_that_runs_is_stopped(site: Site, world: World, settings: Settings) -> None:
    settings.BULK_OPERATION_BATCH = 1
    for _ in range(3):
        make_job(world.org)
    page = site.visit("/bulk-operations/new/?kind=cancel", world.operator)
    page.get_by_role("button", name="Cancel: 3 jobs").click()
    page.wait_for_url("**/bulk-operations/*-*/")
    lead(batches=1)
    expect(page.locator("#bulk-state")).to_have_text("running")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#bulk-state")).to_have_text("stopped")
    lead()
    assert sorted(Job.objects.values_list("status", flat=True)) == ["cancelled", "queued", "queued"]


@pytest.mark.parametrize("script", [True, False])
def test_a_cancel_is_undone(site: Site, world: World, settings: Settings, script: bool) -> None:
    settings.UNDO_SECONDS = 10
    job = make_job(world.org)
    page = site.visit("/jobs/", world.operator, script=script)
    page.locator(f"#pick-{job.pk}").check()
    page.get_by_role("button", name="Cancel selected").click()
    button = page.get_by_role("button", name="Undo")
    if script:
        expect(page.locator("#undo button")).to_contain_text(" s)")
    button.click()
    expect(page.get_by_text("Undone: all is as it was.")).to_be_visible()
    assert [claimed.job_id for claimed in claim_all()] == [job.pk]


def test_a_pause_is_undone_and_the_button_goes_when_it_is_too_late(
    site: Site, world: World, settings: Settings
) -> None:
    settings.UNDO_SECONDS = 8
    make_job(world.org)
    page = site.visit("/queues/", world.owner)
    page.get_by_label("Pause default").click()
    page.get_by_role("button", name="Pause default").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: default goes on.")).to_be_visible()
    assert not Queue.objects.get().paused

    settings.UNDO_SECONDS = 1
    page.get_by_label("Pause default").click()
    page.get_by_role("button", name="Pause default").click()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_a_range_is_ticked_with_shift_and_all_that_match_are_offered(site: Site, world: World) -> None:
    for _ in range(30):
        make_job(world.org)
    page = site.visit("/jobs/?limit=25", world.operator)
    boxes = page.locator(".pick input[name=job]")
    boxes.nth(2).click()
    boxes.nth(6).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("5 selected")
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("2 selected")

    page.get_by_label("Select page").check()
    expect(page.get_by_text("All 25 on this page are selected.")).to_be_visible()
    page.get_by_role("link", name="Act on all 30 that match").click()
    page.get_by_role("link", name="Cancel …").click()
    expect(page.get_by_text("This cancels 30 jobs in acme.")).to_be_visible()
