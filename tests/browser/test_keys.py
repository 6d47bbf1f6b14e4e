"""The keyboard, the palette, and what a person sets for his own browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.browser.test_every_page import PHONE, violations, wide
from tests.conftest import World
from tests.factories import make_done, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def open_menu(page: Page) -> None:
    page.locator("header summary").click()


def test_j_and_k_walk_the_rows_x_ticks_and_enter_opens(site: Site, world: World) -> None:
    older, newer = make_job(world.org, name="older"), make_job(world.org, name="newer")
    page = site.visit("/jobs/", world.operator)

    page.keyboard.press("j")
    expect(page.get_by_role("link", name="newer", exact=True)).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(f"#pick-{older.pk}")).to_be_checked()
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.locator(f"#pick-{newer.pk}")).to_be_checked()
    page.keyboard.press("k")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{site.url}/jobs/{newer.pk}/?in=list%3Djobs")


def test_j_and_k_go_to_the_jobs_beside_and_y_copies_the_link(site: Site, world: World) -> None:
    older, newer = make_job(world.org, name="older"), make_job(world.org, name="newer")
    page = site.visit("/jobs/", world.operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="newer", exact=True).click()
    expect(page.locator("h1")).to_have_text("newer")
    page.wait_for_load_state()

    page.keyboard.press("j")
    expect(page.locator("h1")).to_have_text("older")
    page.keyboard.press("y")

    page.wait_for_function(
        f"async () => await navigator.clipboard.readText() === '{site.url}/jobs/{older.pk}/?org=acme'"
    )
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile(str(newer.pk)))


@pytest.mark.parametrize(("keys", "path"), [("gq", "/queues/"), ("gj", "/jobs/"), ("n", "/jobs/submit/"), ("go", "/")])
def test_keys_go_to_pages(site: Site, world: World, keys: str, path: str) -> None:
    page = site.visit("/workers/", world.operator)

    for key in keys:
        page.keyboard.press(key)

    expect(page).to_have_url(site.url + path)


def test_keys_are_text_where_text_is_typed(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator)
    page.get_by_label("Search").click()

    page.keyboard.type("gq?n/")

    expect(page.get_by_label("Search")).to_have_value("gq?n/")
    expect(page.locator("#help")).to_be_hidden()


def test_the_list_of_keys_can_turn_them_off(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Single keys are shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()

    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_hidden()
    page.reload()
    page.keyboard.press("n")
    page.keyboard.press("Control+k")

    expect(page.locator("#palette")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/jobs/")


def test_the_palette_goes_to_a_page_and_searches_jobs(site: Site, world: World) -> None:
    make_job(world.org, name="needle")
    page = site.visit("/", world.operator)
    page.keyboard.press("Control+k")
    page.keyboard.type("que")
    expect(page.locator("#places [aria-selected=true]")).to_have_text("Queues")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.url}/queues/")

    page.get_by_role("button", name="Go to").click()
    page.keyboard.type("need le&")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"/jobs/\?q=need(%20|\+)le%26"))


def test_dialogs_fit_a_phone(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator, width=PHONE, dark=True)
    page.get_by_role("button", name="Go to").click()
    assert violations(page) + wide(page) == []
    page.keyboard.press("Escape")
    open_menu(page)
    page.get_by_role("button", name="Keyboard").click()

    assert violations(page) + wide(page) == []


def test_times_are_told_as_the_person_chose(site: Site, world: World) -> None:
    job = make_done(world.org)
    page = site.visit("/jobs/", world.operator)
    told = page.locator(f"#job-{job.pk} time").last
    expect(told).to_have_text(re.compile("ago$"))
    exact = job.created_at.strftime("%Y-%m-%d %H:%M:%S UTC")

    open_menu(page)
    page.get_by_role("button", name="UTC").click()

    expect(told).to_have_text(exact)
    page.reload()
    expect(told).to_have_text(exact)
    open_menu(page)
    page.get_by_role("button", name="local").click()
    expect(told).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))
    expect(told).to_have_attribute("title", exact)


def test_how_often_a_page_refreshes_is_chosen_and_remembered(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator)
    expect(page.locator("[data-updated]")).to_have_text(re.compile("^updated"))
    page.get_by_label("Refresh").select_option("60")
    page.goto("/queues/")
    expect(page.get_by_label("Refresh")).to_have_value("60")
    page.goto("/jobs/")
    job = make_job(world.org)

    page.locator("h1").click()
    page.keyboard.press("r")

    expect(page.locator(f"#job-{job.pk}")).to_be_visible()
    page.goto("/usage/")
    expect(page.locator("[data-refresh]")).to_be_hidden()


def test_the_language_is_kept_without_a_script_too(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator, script=False)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    open_menu(page)

    page.get_by_role("button", name="Deutsch").click()

    expect(page).to_have_url(f"{site.url}/jobs/")
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_the_environment_is_told_on_every_page(site: Site, world: World, settings: object) -> None:
    settings.ENVIRONMENT, settings.ENVIRONMENT_COLOUR = "production", "red"  # type: ignore[attr-defined]

    page = site.visit("/queues/", world.owner)

    expect(page.get_by_title("Environment")).to_have_text("production")
    assert violations(page) == []
