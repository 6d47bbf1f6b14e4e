"""Polls that are answered from memory: only that nothing is new, and never for longer than it may be."""

import html
import re
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from jobs.queue.control import pause
from orgs.models import Membership
from orgs.roles import Role
from orgs.scope import Scope
from smartqueue import polls
from tests.conftest import World
from tests.factories import browser, make_done, make_job

pytestmark = pytest.mark.django_db(transaction=True)

REGION = re.compile(r'data-live\s+data-version="([^"]*)"\s+hx-get="([^"]*)"')
BY_HTMX = {"HX-Request": "true"}
PAGES = ("/", "/jobs/", "/dead-letters/", "/queues/")


@pytest.fixture(autouse=True)
def remembering(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.POLL_REMEMBER_SECONDS = 30
    monkeypatch.setattr(polls, "PULSE_SECONDS", 0)


def opened(client: Client, page: str) -> str:
    """The address that the region of the page asks for."""
    found = REGION.search(client.get(page).content.decode())
    assert found
    version, path = (html.unescape(part) for part in found.groups())
    return f"{path}{'&' if '?' in path else '?'}v={version}"


def ask(client: Client, address: str) -> tuple[int, list[str]]:
    """The answer, and what the database was asked for it."""
    asked: list[str] = []

    def noting(execute: Any, sql: str, *args: Any) -> Any:
        asked.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(noting):
        status = client.get(address, headers=BY_HTMX).status_code
    return status, asked


@pytest.mark.parametrize("page", PAGES)
def test_from_the_third_poll_on_only_the_pulse_is_asked_for(world: World, page: str) -> None:
    make_done(world.org)
    client = browser(world.viewer)
    address = opened(client, page)

    first, second, third = (ask(client, address) for _ in range(3))

    assert [status for status, _ in (first, second, third)] == [204, 204, 204]
    assert len(first[1]) > 2
    assert len(third[1]) == 1
    assert "pulse" in third[1][0]


@pytest.mark.parametrize("page", PAGES)
def test_what_is_new_is_told_at_once(world: World, page: str) -> None:
    make_done(world.org)
    client = browser(world.viewer)
    address = opened(client, page)
    assert [ask(client, address)[0] for _ in range(3)] == [204] * 3

    make_job(world.rival)
    assert ask(client, address)[0] == 204
    make_job(world.org)
    assert ask(client, address)[0] == 200


def test_what_people_do_is_told_at_once(world: World) -> None:
    make_job(world.org)
    client = browser(world.viewer)
    address = opened(client, "/queues/")
    assert [ask(client, address)[0] for _ in range(3)] == [204] * 3

    pause("default", scope=Scope(world.owner, world.org, Role.ORG_ADMIN), reason="a fire")

    assert ask(client, address)[0] == 200


def test_whoever_may_no_longer_see_it_is_not_told_for_long(world: World, settings: Settings) -> None:
    settings.POLL_REMEMBER_SECONDS = 0.2
    client = browser(world.viewer)
    address = opened(client, "/jobs/")
    assert [ask(client, address)[0] for _ in range(3)] == [204] * 3

    world.viewer.is_active = False
    world.viewer.save()

    time.sleep(0.3)
    assert ask(client, address)[0] == 401


def test_after_a_switch_the_other_organisation_is_looked_at(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.viewer, role=Role.VIEWER)
    client = browser(world.viewer)
    address = opened(client, "/jobs/")
    assert [ask(client, address)[0] for _ in range(3)] == [204] * 3
    client.post("/organisations/switch/", {"org": "rival"})

    # both have no jobs, and are told apart
    there = opened(client, "/jobs/")
    assert there != address
    assert [ask(client, there)[0] for _ in range(3)] == [204] * 3
    make_job(world.org)
    assert ask(client, there)[0] == 204
    make_job(world.rival)
    assert ask(client, there)[0] == 200


def test_another_session_is_looked_at_itself(world: World) -> None:
    client = browser(world.viewer)
    address = opened(client, "/jobs/")
    assert [ask(client, address)[0] for _ in range(3)] == [204] * 3
    client.cookies["sessionid"] = "another"

    assert ask(client, address)[0] == 401


def test_a_page_that_changes_without_the_pulse_is_always_looked_at(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.viewer)
    address = opened(client, f"/jobs/{job.pk}/")

    assert all(len(ask(client, address)[1]) > 2 for _ in range(4))
