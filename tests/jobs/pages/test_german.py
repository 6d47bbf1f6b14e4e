"""The pages as a person reads them who chose German."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.conftest import World
from tests.factories import browser, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

PAGES = (
    *("/", "/jobs/", "/jobs/submit/", "/jobs/submit/?type=etl", "/jobs/submit/?type=ml", "/dead-letters/", "/errors/"),
    *(
        "/bulk-operations/",
        "/schedules/",
        "/schedules/new/",
        "/queues/",
        "/queues/default/",
        "/workers/",
        "/analytics/",
    ),
    *("/model/", "/classifier/", "/artefacts/", "/members/", "/api-keys/", "/secrets/", "/webhooks/", "/alerts/"),
    *("/limits/", "/usage/", "/audit/", "/settings/", "/profile/", "/organisations/", "/jobs/views/"),
)
# Of attributes that a program reads as numbers.
NUMBERS = {"x", "y", "width", "height", "cx", "cy", "r", "d", "viewbox", "min", "max", "step", "high", "low"}
DECIMAL_COMMA = re.compile(r"\d,\d")


def german(client: Client) -> Client:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    return client


def numbers_of(client: Client, path: str) -> list[str]:
    page = read(client.get(path))
    assert page.one("html").attributes["lang"] == "de"
    found = [one.attributes[name] for one in page.walk() for name in NUMBERS & one.attributes.keys()]
    inputs = [one for tag in ("input", "meter", "progress") for one in page.all(tag)]
    return found + [
        one.attributes.get("value", "") for one in inputs if one.attributes.get("type", "number") == "number"
    ]


@pytest.mark.parametrize("path", PAGES)
def test_numbers_that_programs_read_have_a_point(world: World, path: str) -> None:
    make_done(world.org)
    make_job(world.org)
    world.org.weight = 2.5
    world.org.save()

    assert [text for text in numbers_of(german(browser(world.owner)), path) if DECIMAL_COMMA.search(text)] == []


@pytest.mark.parametrize("make", [make_job, make_done, make_dead_letter])
def test_the_page_of_a_job_has_points_too(world: World, make: Callable[..., Any]) -> None:
    job = make(world.org)

    numbers = numbers_of(german(browser(world.owner)), f"/jobs/{job.pk}/")

    assert [text for text in numbers if DECIMAL_COMMA.search(text)] == []


def test_a_status_is_a_word_of_the_language_and_a_value_of_the_address(world: World) -> None:
    make_dead_letter(world.org)

    chip = read(german(browser(world.viewer)).get("/jobs/")).by_id("chip-failed")

    assert chip.text == "gescheitert 1"
    assert chip.attributes["href"] == "/jobs/?status=failed"


def test_the_api_says_the_same_to_everybody(world: World) -> None:
    asked = {"username": "viewer", "password": "wrong"}

    refused = german(browser(world.viewer)).post("/api/v1/auth/login/", asked, content_type="application/json")

    assert refused.json()["detail"] == "The username or the password is not right."


def test_an_error_page_is_in_the_language(world: World) -> None:
    page = read(german(browser(world.viewer)).get("/jobs/00000000-0000-0000-0000-000000000000/"))

    assert "Nicht gefunden" in page.one("h1").text
    assert page.one("html").attributes["lang"] == "de"
