"""In Chromium: inviting and accepting, a key shown once, a webhook's test and what came back, secrets, settings, and
the admin of an organisation.
"""

import re
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connection
from playwright.sync_api import Page
from pytest_django.fixtures import Settings

from jobs.models import Delivery
from orgs.models import Membership, Org, Secret, User
from orgs.roles import Role
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import make_job
from tests.jobs.delivery.rounds import deliver
from tests.jobs.handlers.server import serving

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TOKEN = re.compile(r"sq_live_[0-9a-f]{12}_[0-9a-f]{64}")


@pytest.fixture
def courier() -> Iterator[None]:
    """Deliveries are sent as they come due, as by a scheduler."""
    over = threading.Event()

    def go() -> None:
        while not over.is_set():
            deliver()
            time.sleep(0.2)
        connection.close()

    thread = threading.Thread(target=go)
    thread.start()
    yield
    over.set()
    thread.join()


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state("networkidle")


def test_somebody_is_invited_accepts_is_promoted_and_removed(site: Site, world: World) -> None:
    owner = site.visit("/members/", world.owner)
    owner.get_by_label("Username or e-mail address").fill("loner")
    press(owner, "Invite")
    assert owner.locator("#pending").is_visible()

    loner = site.visit("/organisations/", world.loner)
    press(loner, f"Accept {world.org.name}")
    assert loner.get_by_role("status").get_by_text("You are operator of").is_visible()

    owner.goto("/members/")
    owner.get_by_label("Role of loner", exact=True).select_option("viewer")
    press(owner, "Change the role of loner")
    assert Membership.objects.get(user=world.loner).role == Role.VIEWER
    owner.get_by_label("Remove loner").first.click()
    press(owner, "Remove loner")
    assert not Membership.objects.filter(user=world.loner).exists()


def test_a_key_is_shown_once_also_without_a_script(site: Site, world: World) -> None:
    for script in (True, False):
        page = site.visit("/api-keys/", world.operator, script=script)
        page.get_by_label("Name").fill("shop")
        press(page, "Make the key")
        token = page.locator("#made-token").inner_text()
        assert TOKEN.fullmatch(token.strip())
        assert token.strip() in page.locator("#made-curl").inner_text()

        page.reload()

        assert page.locator("#made-token").count() == 0
        assert token.strip() not in page.content()


def test_a_webhook_is_tested_and_what_came_back_appears(
    site: Site, world: World, settings: Settings, courier: None
) -> None:
    with serving() as server:
        settings.HTTP_ALLOW_HOSTS = [server.authority, urlsplit(site.url).netloc]
        page = site.visit("/webhooks/", world.owner)
        page.locator("#id_target").fill(server.on("/hook", body=b"thank you"))
        press(page, "Make the webhook")
        assert page.locator("#made-secret").inner_text().startswith("whsec_")

        page.get_by_role("button", name="Send a test", exact=True).click()

        # without a reload: the page asks again
        page.locator("#delivery").get_by_text("thank you").wait_for(timeout=30_000)
        assert page.locator("#delivery .status").inner_text() == "delivered"
        assert Delivery.objects.get().status == "delivered"
        assert server.hits == 1


def test_a_secret_is_set_and_its_value_is_nowhere(site: Site, world: World) -> None:
    page = site.visit("/secrets/", world.owner)
    page.get_by_label("Name").fill("crm_token")
    page.get_by_label("Value").fill("a value of it")
    press(page, "Set")

    assert Secret.objects.get().name == "crm_token"
    assert page.locator("#secret-crm_token").is_visible()
    assert "a value of it" not in page.content()


def test_settings_are_changed(site: Site, world: World) -> None:
    page = site.visit("/settings/", world.owner)
    page.locator("#id_org_name").fill("Acme of Today")
    press(page, "Rename")
    page.get_by_label("Only to these hosts").fill("api.example.com")
    press(page, "Keep")

    assert page.locator("h1").inner_text() == "Settings of Acme of Today"
    assert Org.objects.get(pk=world.org.pk).job_settings["http_allow_hosts"] == ["api.example.com"]


def test_the_admin_of_an_organisation_is_quiet_and_of_it_alone(site: Site, world: World) -> None:
    User.objects.filter(pk=world.owner.pk).update(is_staff=True)
    world.owner.refresh_from_db()
    make_job(world.org, queue="ours")
    make_job(world.rival, queue="theirs")
    page = site.visit("/", world.owner)
    page.locator("header summary").click()
    page.get_by_role("link", name="Organisation admin").click()
    page.get_by_role("link", name="Queues", exact=True).first.click()
    page.wait_for_load_state("networkidle")
    assert "ours" in page.content()
    assert "theirs" not in page.content()

    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option("pause")
    page.get_by_role("button", name="Go").click()
    page.wait_for_load_state("networkidle")

    assert page.get_by_text("Done: 1.").is_visible()
