"""What must hold on every page: the list of them is here, once."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.models.functions import Now
from playwright.sync_api import Page

from jobs.ids import uuid7
from jobs.models import (
    Alert,
    AlertRule,
    Artefact,
    Attempt,
    ErrorGroup,
    EventType,
    Follower,
    Schedule,
    ScheduleTick,
)
from jobs.queue.control import pause
from jobs.queue.lease import report
from jobs.queue.limit_control import set_limit
from jobs.queue.pauses import pause_kind
from jobs.queue.queue_control import set_target
from jobs.search import saved
from jobs.search.index import count_errors, index
from orgs import life, vault
from orgs.keys import create_key
from orgs.models import User
from orgs.roles import Role
from orgs.scope import Scope
from tests.analytics.rows import make_process
from tests.browser.conftest import Site
from tests.conftest import World
from tests.factories import (
    claim_all,
    make_alert,
    make_dead_letter,
    make_delivery,
    make_done,
    make_job,
    make_webhook,
)

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
    ids |= make_told(world)
    create_key(LONG[:64], scope=scope, role=Role.VIEWER)
    vault.put("a_long_name_" + "n" * 50, "hunter2hunter2", scope=scope)
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
    Follower.objects.create(name="errors", final_id=Attempt.objects.latest("pk").pk)
    count_errors()
    ids["error"] = ErrorGroup.objects.get().fingerprint
    saved.create(scope=scope, request=None, name="What failed " + "x" * 52, query="status=failed", shared=True)
    index([UUID(one) for name, one in ids.items() if name != "error"])
    pause("paused-queue-with-a-long-name", scope=scope, reason="until the provider is back")
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    schedule = Schedule.objects.create(
        org=world.org, name="s" * 64, cron="30 2 * * 1-5", timezone="Europe/Berlin", job=job, next_at=Now()
    )
    ScheduleTick.objects.create(
        schedule=schedule, at=Now(), outcome="fired", job_id=ids["done"], fired_at=Now(), epoch=1
    )
    ids["schedule"] = str(schedule.pk)
    ids["worker"] = str(make_process(id=uuid7(), labels={"zone": "b"}, asked="quiet", asked_at=Now()).pk)
    pause_kind("shell", scope=scope, reason="until the disk is greater")
    set_limit("queue", "default", scope=scope, max_running=5, rate_count=10, rate_seconds=60)
    set_target("default", 30, scope=scope)
    return Filled(world, ids)


def make_told(world: World) -> dict[str, str]:
    """A webhook that fails, an address, and an alert that both were told of."""
    webhook = make_webhook(world.org, f"https://example.com/{'hook' * 40}", events=EventType.values)
    make_alert(world.org, "on-call-of-the-night@example.com", types=["http", "shell"])
    over = {"status": "failed", "next_at": None, "ended_at": Now(), "attempt": 9, "duration_ms": 12.5}
    answer = {"response_status": 500, "response_body": "x" * 300, "error": "No 2xx status."}
    told = make_delivery(webhook, event="alert.raised", **over, **answer)
    rule = AlertRule.objects.create(
        org=world.org, name=LONG[:64], kind="latency", threshold=5, seen_value=7.5, seen_at=Now()
    )
    Alert.objects.create(org_id=world.org.pk, rule_id=rule.pk, name=rule.name, kind="latency", threshold=5, value=6,
                         worst=7.5, told="default", raised_at=Now(), deliveries=[told.pk])  # fmt: skip
    return {"webhook": str(webhook.pk), "delivery": str(told.pk), "rule": str(rule.pk)}


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
    ("/bulk-operations/new/?of=dead-letters&kind=replay", OWNER),
    ("/bulk-operations/new/?kind=queue", OWNER),
    ("/bulk-operations/new/", "operator"),
    ("/bulk-operations/", OWNER),
    ("/bulk-operations/", "outsider"),
    ("/dead-letters/?tag=none&attempts_min=1", "viewer"),
    ("/jobs/?q=payload.task:demo.add+adds&within=24h&attempts_max=3", OWNER),
    ("/jobs/?q=payload.token:x", OWNER),
    ("/jobs/views/?status=failed", OWNER),
    ("/jobs/views/", "viewer"),
    ("/errors/", OWNER),
    ("/errors/?queue=nothing-like-it", OWNER),
    ("/errors/", "outsider"),
    ("/errors/{error}/", OWNER),
    ("/errors/{error}/", "viewer"),
    ("/classifier/", OWNER),
    ("/model/", OWNER),
    ("/classifier/", "viewer"),
    ("/model/", "viewer"),
    ("/queues/", OWNER),
    ("/queues/", "operator"),
    ("/queues/default/", OWNER),
    ("/queues/paused-queue-with-a-long-name/", "viewer"),
    ("/limits/", OWNER),
    ("/limits/", "viewer"),
    ("/schedules/", OWNER),
    ("/schedules/", "outsider"),
    ("/schedules/{schedule}/", OWNER),
    ("/schedules/{schedule}/", "viewer"),
    ("/schedules/{schedule}/edit/", OWNER),
    ("/schedules/new/?type=python", OWNER),
    ("/schedules/new/", "viewer"),
    ("/artefacts/", OWNER),
    ("/artefacts/", "viewer"),
    ("/artefacts/", "outsider"),
    ("/audit/", OWNER),
    ("/audit/?action=nothing.like+this", OWNER),
    ("/audit/?job=nonsense", OWNER),
    ("/audit/", "outsider"),
    ("/workers/", OWNER),
    ("/api-keys/", OWNER),
    ("/api-keys/", "viewer"),
    ("/secrets/", OWNER),
    ("/secrets/", "operator"),
    ("/secrets/", "outsider"),
    ("/webhooks/", OWNER),
    ("/webhooks/", "outsider"),
    ("/webhooks/{webhook}/", OWNER),
    ("/webhooks/{webhook}/deliveries/{delivery}/", OWNER),
    ("/alerts/", OWNER),
    ("/alerts/", "outsider"),
    ("/alerts/rules/{rule}/", OWNER),
    ("/settings/", OWNER),
    ("/settings/", "viewer"),
    ("/workers/{worker}/", OWNER),
    ("/workers/{worker}/", "platform"),
    ("/analytics/", OWNER),
    ("/analytics/?hours=1&queue=reports&type=shell", "viewer"),
    ("/usage/", OWNER),
    ("/usage/", "viewer"),
    ("/members/", OWNER),
    ("/members/", "viewer"),
    ("/organisations/", OWNER),
    ("/platform/organisations/", "platform"),
    ("/platform/organisations/?q=nothing+like+this", "platform"),
    ("/organisations/", "loner"),
    ("/profile/", OWNER),
    ("/jobs/", "outsider"),
    ("/", "outsider"),
]


def looker(world: World, name: str | None) -> User | None:
    people = {**world.people(), "platform": world.platform_admin}
    return people[name] if name else None


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


@pytest.mark.parametrize(
    "path", ["/api/v1/docs/", "/admin/", "/admin/jobs/job/", "/admin/orgs/org/", "/admin/jobs/schedule/"]
)
def test_page_of_others_making_is_quiet(site: Site, filled: Filled, path: str) -> None:
    page = site.visit(path, filled.world.platform_admin)

    page.wait_for_load_state("networkidle")

    assert page.title()


def test_every_link_of_the_navigation_is_in_the_list(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.owner)
    page.locator("header summary").click()

    links = {link.get_attribute("href") for link in page.locator("header a, #nav a").all()}

    assert links - {path for path, _ in PAGES} <= {"/jobs/submit/", "/api/v1/docs/"}
    assert links > {"/", "/jobs/", "/dead-letters/", "/workers/", "/queues/", "/usage/", "/members/", "/profile/"}


def test_an_open_menu_is_accessible_and_fits_a_phone(site: Site, filled: Filled) -> None:
    page = site.visit("/queues/", filled.world.owner, width=PHONE)
    page.locator("header summary").click()
    assert violations(page) + wide(page) == []
    page.keyboard.press("Escape")
    page.locator("[id^=pause-] summary").first.click()

    assert violations(page) + wide(page) == []


def test_the_navigation_opens_on_a_phone_without_a_script(site: Site, filled: Filled) -> None:
    page = site.visit("/queues/", filled.world.owner, width=PHONE, script=False)
    assert not page.locator("#nav").is_visible()

    page.get_by_role("button", name="Menu", exact=True).click()
    page.locator("#nav").get_by_role("link", name="Workers").click()

    assert page.url.endswith("/workers/")
    with_script = site.visit("/queues/", filled.world.owner, width=PHONE)
    with_script.get_by_role("button", name="Menu", exact=True).click()
    assert with_script.locator("#nav").is_visible()
    assert violations(with_script) + wide(with_script) == []


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


@pytest.mark.parametrize(
    ("path", "person", "halt"),
    [("/jobs/", OWNER, "closing"), ("/members/", "viewer", "closing"), ("/organisations/", OWNER, "suspended")],
)
def test_the_state_of_an_organisation_is_on_top_and_fits(
    site: Site, filled: Filled, path: str, person: str, halt: str
) -> None:
    world = filled.world
    if halt == "closing":
        life.close(scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
    else:
        life.suspend("acme", reason=LONG, actor=world.platform_admin)
    page = site.visit(path, looker(world, person))

    assert page.get_by_label("State of the organisation").is_visible()
    at_a_desk = violations(page) + wide(page)
    page.set_viewport_size({"width": PHONE, "height": 740})
    assert at_a_desk + violations(page) + wide(page) == []
