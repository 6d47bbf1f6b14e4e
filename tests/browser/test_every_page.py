"""What must hold on every page: the list of them is here, once."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.models.functions import Now
from playwright.sync_api import Page

from jobs.models import Artefact
from jobs.queue.control import pause
from jobs.queue.lease import report
from orgs.models import User
from orgs.roles import Role
from orgs.scope import Scope
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import claim_all, make_dead_letter, make_done, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = 360
LONG = "A title that is long, withoutanyplacetobreakitwithoutanyplacetobreakitwithoutanyplacetobreakit, and longer"


@dataclass
class Filled:
    """An organisation with something on every page."""

    world: World
    ids: dict[str, str]


@pytest.fixture
def filled(world: World) -> Filled:
    ids = {}
    ids["done"] = str(make_done(world.org, user=world.operator, title=LONG, description="Twice\na day").pk)
    ids["failed"] = str(make_dead_letter(world.org, user=world.operator, queue="reports", category="Database").pk)
    ids["running"] = str(make_job(world.org, urgency="high").pk)
    (claimed,) = claim_all()
    lines = [
        {"token": str(claimed.token), "sequence": number, "stream": stream, "text": text, "age_seconds": 0}
        for number, (stream, text) in enumerate([("log", "begins"), ("stdout", "x" * 300), ("stderr", "trouble")], 1)
    ]
    report(lines=lines, progress=[{"token": str(claimed.token), "progress": 0.4, "progress_message": "nearly half"}])
    ids["queued"] = str(make_job(world.org, urgency="low", name="n" * 64).pk)
    ids["scheduled"] = str(make_job(world.org, delay_seconds=3600, queue="paused-queue-with-a-long-name").pk)
    scope = Scope(world.owner, world.org, Role.ORG_ADMIN)
    named = "n" * 100 + ".csv"
    Artefact.objects.create(
        org=world.org,
        name=named,
        content_type="text/csv",
        size_bytes=5_000_000,
        sha256="5" * 64,
        file="none",
        created_by=world.owner,
        expires_at=Now() + timedelta(days=7),
    )
    Artefact.objects.create(
        org=world.org, job_id=ids["done"], attempt=1, name=named, content_type="text/csv", size_bytes=5,
        sha256="5" * 64, file="none",
    )  # fmt: skip
    pause("paused-queue-with-a-long-name", scope=scope, reason="until the provider is back")
    return Filled(world, ids)


OWNER = "owner"
# path, and who looks (nobody: not signed in)
PAGES: list[tuple[str, str | None]] = [
    ("/sign-in/", None),
    ("/sign-up/", None),
    ("/", OWNER),
    ("/jobs/", OWNER),
    ("/jobs/", "viewer"),
    ("/jobs/?q=nothing+matches+this", OWNER),
    ("/jobs/?status=nonsense", OWNER),
    ("/jobs/{done}/", OWNER),
    ("/jobs/{failed}/", OWNER),
    ("/jobs/{running}/", OWNER),
    ("/jobs/{queued}/", OWNER),
    ("/jobs/{scheduled}/", "viewer"),
    ("/jobs/submit/?type=etl", OWNER),
    ("/jobs/submit/?type=http", OWNER),
    ("/jobs/submit/?type=shell", OWNER),
    ("/jobs/submit/?type=python", OWNER),
    ("/jobs/submit/?type=data-export", OWNER),
    ("/jobs/submit/?type=python&as=json", OWNER),
    ("/jobs/submit/", "viewer"),
    ("/dead-letters/", OWNER),
    ("/dead-letters/", "outsider"),
    ("/dead-letters/replay/", OWNER),
    ("/classifier/", OWNER),
    ("/model/", OWNER),
    ("/classifier/", "viewer"),
    ("/model/", "viewer"),
    ("/queues/", OWNER),
    ("/queues/", "operator"),
    ("/artefacts/", OWNER),
    ("/artefacts/", "viewer"),
    ("/artefacts/", "outsider"),
    ("/audit/", OWNER),
    ("/audit/?action=nothing.like+this", OWNER),
    ("/audit/?job=nonsense", OWNER),
    ("/audit/", "outsider"),
    ("/workers/", OWNER),
    ("/usage/", OWNER),
    ("/usage/", "viewer"),
    ("/members/", OWNER),
    ("/members/", "viewer"),
    ("/organisations/", OWNER),
    ("/organisations/", "loner"),
    ("/profile/", OWNER),
    ("/jobs/", "outsider"),
    ("/", "outsider"),
]


def looker(world: World, name: str | None) -> User | None:
    return world.people()[name] if name else None


def wide(page: Page) -> list[str]:
    """What sticks out of the window sideways, unless it is inside something that scrolls."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
        [...document.querySelectorAll("body *")].filter((one) =>
            one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map((one) => `${one.tagName}.${one.className}`).slice(0, 8)"""
    )
    return found


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]} {node['failureSummary']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize(("path", "person"), PAGES)
def test_page_is_accessible_quiet_and_fits(site: Site, filled: Filled, path: str, person: str | None) -> None:
    """Light at a desk and dark on a phone; that nothing complained is asserted by `site`."""
    page = site.visit(path.format(**filled.ids), looker(filled.world, person))
    assert page.locator("h1").count() == 1

    at_a_desk = violations(page) + wide(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": PHONE, "height": 740})
    on_a_phone = violations(page) + wide(page)

    assert {"light, at a desk": at_a_desk, "dark, on a phone": on_a_phone} == {
        "light, at a desk": [],
        "dark, on a phone": [],
    }


@pytest.mark.parametrize("path", ["/api/v1/docs/", "/admin/", "/admin/jobs/job/"])
def test_page_of_others_making_is_quiet(site: Site, filled: Filled, path: str) -> None:
    page = site.visit(path, filled.world.platform_admin)

    page.wait_for_load_state("networkidle")

    assert page.title()


def test_every_link_of_the_navigation_is_in_the_list(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.owner)
    page.locator("header summary").click()

    links = {link.get_attribute("href") for link in page.locator("header a").all()}

    assert links - {path for path, _ in PAGES} <= {"/jobs/submit/", "/api/v1/docs/"}
    assert links > {"/", "/jobs/", "/dead-letters/", "/workers/", "/queues/", "/usage/", "/members/", "/profile/"}


def test_an_open_menu_is_accessible_and_fits_a_phone(site: Site, filled: Filled) -> None:
    page = site.visit("/queues/", filled.world.owner, width=PHONE)
    page.locator("header summary").click()
    assert violations(page) + wide(page) == []
    page.keyboard.press("Escape")
    page.locator("[id^=pause-] summary").first.click()

    assert violations(page) + wide(page) == []


@pytest.mark.parametrize("state", ["failed", "running"])
def test_open_actions_of_a_job_are_accessible_and_fit_a_phone(site: Site, filled: Filled, state: str) -> None:
    page = site.visit(f"/jobs/{filled.ids[state]}/", filled.world.owner, width=PHONE)

    page.locator("#job .actions summary").first.click()

    assert violations(page) + wide(page) == []


def test_focus_is_seen_on_everything_that_takes_it(site: Site, filled: Filled) -> None:
    page = site.visit("/jobs/", filled.world.owner)
    unseen = []

    for _ in range(45):
        page.keyboard.press("Tab")
        drawn = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return one === document.body || style.outlineStyle !== "none" ? "" : one.outerHTML.slice(0, 120); }"""
        )
        if drawn:
            unseen.append(drawn)

    assert unseen == []


def test_an_error_page_is_accessible(site: Site, world: World) -> None:
    page = site.visit("/jobs/01900000-0000-7000-8000-000000000000/", world.owner)
    site.complaints = [one for one in site.complaints if "404" not in one]

    assert page.locator("h1").inner_text() == "Not Found"
    assert violations(page) + wide(page) == []


def test_the_theme_is_kept(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.owner)
    page.locator("header summary").click()
    page.get_by_role("button", name="dark").click()
    page.goto("/queues/")

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert background == "rgb(14, 18, 24)"
