"""What people go through from end to end and no other file here does: an organisation, a model, a failure."""

import re
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from jobs.models import Job, ModelVersion
from orgs.models import Membership
from orgs.roles import Role
from tests.browser.conftest import Site
from tests.browser.test_every_page import PHONE, wide
from tests.conftest import World
from tests.factories import make_job, make_version

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Start = Callable[[], None]


@pytest.mark.parametrize("script", [True, False])
def test_another_organisation_is_chosen_and_every_page_is_about_it(site: Site, world: World, script: bool) -> None:
    Membership.objects.create(org=world.rival, user=world.operator, role=Role.VIEWER)
    make_job(world.org, title="Ours")
    make_job(world.rival, title="Theirs")
    page = site.visit("/jobs/", world.operator, script=script)
    expect(page.get_by_role("link", name="Ours")).to_be_visible()

    page.locator("#org-switch").select_option("rival")
    if not script:
        page.get_by_role("button", name="Switch").click()

    expect(page.locator("#org-switch")).to_have_value("rival")
    page.set_viewport_size({"width": PHONE, "height": 740})
    assert wide(page) == []
    page.goto("/jobs/")
    expect(page.get_by_role("link", name="Theirs")).to_be_visible()
    expect(page.get_by_role("link", name="Ours")).to_have_count(0)
    expect(page.get_by_role("link", name="Submit a job")).to_have_count(0)


def test_a_model_is_promoted_and_taken_back(site: Site, world: World) -> None:
    make_version(world.org, 1)
    make_version(world.org, 2, active=True, previous=1, promoted_by="leader", promoted_at=timezone.now())
    page = site.visit("/model/", world.owner)
    expect(page.locator("#version-2")).to_contain_text("in use")

    page.get_by_role("button", name="Use version 1").click()
    expect(page.locator("#version-1")).to_contain_text("in use")
    expect(page.locator("#model-state")).to_contain_text("Version 1")
    assert ModelVersion.objects.get(active=True).version == 1

    page.get_by_role("button", name=re.compile("back", re.IGNORECASE)).click()
    expect(page.locator("#version-2")).to_contain_text("in use")
    assert ModelVersion.objects.get(active=True).version == 2


def test_a_job_submitted_by_its_form_fails_is_watched_mended_and_done(site: Site, world: World, worker: Start) -> None:
    worker()
    page = site.visit("/jobs/submit/?type=python", world.operator)
    page.get_by_role("combobox", name="Task").select_option("demo.fail_always")
    page.get_by_label("Title").fill("Breaks")
    page.get_by_text("When, how long, how often").click()
    page.get_by_label("Attempts at most").fill("1")
    page.get_by_role("button", name="Submit", exact=True).click()
    expect(page.locator("h1 + p .status")).to_have_text("failed")

    page.locator("#nav").get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="Breaks").click()
    page.get_by_text("Edit and replay").click()
    page.get_by_label("Payload, as JSON").fill('{"task": "demo.add", "kwargs": {"a": 40, "b": 2}}')
    page.get_by_role("button", name="Replay with this payload").click()

    expect(page.locator("h1 + p .status")).to_have_text("done")
    expect(page.get_by_role("region", name="Result")).to_contain_text("42")
    assert Job.objects.get().status == "done"
