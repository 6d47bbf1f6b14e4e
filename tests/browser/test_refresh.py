"""What a person has begun survives the refreshes of a live page."""

from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from jobs.models import Job
from jobs.queue.claim import Claimed
from jobs.queue.lease import report
from jobs.queue.upkeep import fold_runs
from tests.browser.conftest import Site
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import browser as signed_in
from tests.factories import claim_all, make_dead_letter, make_done, make_job

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def refreshed(page: Page, count: int = 1) -> None:
    """Wait until the page's region has been exchanged this often; each time something must have changed."""
    for _ in range(count):
        before = page.locator("[data-live]").first.get_attribute("data-version")
        make_job(Job.objects.order_by("created_at")[0].org, name="another")
        page.evaluate("document.dispatchEvent(new Event('smartqueue:refresh'))")
        expect(page.locator("[data-live]").first).not_to_have_attribute("data-version", str(before))


def test_ticks_focus_typed_text_and_open_parts_survive_twenty_refreshes_of_the_list(site: Site, world: World) -> None:
    job = make_job(world.org, name="mine", urgency="high")
    page = site.visit("/jobs/", world.operator)
    box = page.locator(f"#pick-{job.pk}")
    box.check()
    page.get_by_text("More filters").click()
    page.get_by_label("Error class").fill("half a wor")
    handle = box.element_handle()

    refreshed(page, 20)

    expect(box).to_be_checked()
    expect(page.locator("[data-selected]")).to_have_text("1 selected")
    expect(page.get_by_role("button", name="Cancel selected")).to_be_enabled()
    expect(page.get_by_label("Error class")).to_be_visible()
    expect(page.get_by_label("Error class")).to_have_value("half a wor")
    expect(page.get_by_label("Error class")).to_be_focused()
    assert handle is not None
    assert handle.evaluate("node => node.isConnected"), "the row was made anew"


def test_focus_stays_on_a_link_of_the_refreshed_list(site: Site, world: World) -> None:
    make_job(world.org)
    page = site.visit("/jobs/", world.operator)
    page.locator("#sort-priority").focus()

    refreshed(page, 2)

    expect(page.locator("#sort-priority")).to_be_focused()


def test_the_place_in_a_long_list_stays(site: Site, world: World) -> None:
    for _ in range(60):
        make_job(world.org)
    page = site.visit("/jobs/", world.operator)
    page.evaluate("window.scrollTo(0, 900)")

    refreshed(page)

    assert page.evaluate("window.scrollY") == 900


def write(claimed: Claimed, first: int, last: int) -> None:
    token = str(claimed.token)
    lines = [
        {"token": token, "sequence": number, "stream": "stdout", "text": f"line {number}", "age_seconds": 0}
        for number in range(first, last + 1)
    ]
    report(lines=lines, progress=[{"token": token, "progress": last / 1000, "progress_message": f"{last} lines"}])


def test_a_reason_being_typed_survives_and_the_log_follows_its_end(site: Site, world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    write(claimed, 1, 80)
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    page.get_by_text("The same with curl, Python or sq").click()
    page.get_by_text("Cancel", exact=True).click()
    page.get_by_label("Reason").fill("it takes")

    write(claimed, 81, 120)
    expect(page.locator("#line-1-120")).to_be_attached()

    expect(page.get_by_label("Reason")).to_have_value("it takes")
    expect(page.get_by_label("Reason")).to_be_focused()
    expect(page.locator("#curl")).to_be_visible()
    at_its_end = "log => log.scrollHeight - log.scrollTop - log.clientHeight < 2"
    assert eventually(lambda: page.locator("#log-1 pre").evaluate(at_its_end))


def test_a_log_that_is_being_read_does_not_jump_to_its_end(site: Site, world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    write(claimed, 1, 80)
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    log = page.locator("#log-1 pre")
    log.evaluate("node => node.scrollTop = 100")

    write(claimed, 81, 90)
    expect(page.locator("#line-1-90")).to_be_attached()

    assert log.evaluate("node => node.scrollTop") == 100


def test_an_edited_payload_survives_while_the_dead_letter_is_watched(site: Site, world: World) -> None:
    job = make_dead_letter(world.org)
    page = site.visit(f"/jobs/{job.pk}/", world.operator)
    page.get_by_text("Edit and replay").click()
    page.get_by_label("Payload, as JSON").fill('{"task": "demo.add", "kwargs": {"a": 1, "b": 41}}')
    page.get_by_role("button", name="Replay with this payload").click()

    expect(page.locator("#payload")).to_contain_text('"b": 41')
    expect(page.locator("h1 + p .status")).to_have_text("queued")


def test_a_paused_page_stands_still_until_it_is_set_going(site: Site, world: World) -> None:
    page = site.visit("/queues/", world.operator)
    page.clock.install()
    page.goto("/jobs/")
    page.get_by_label("Refresh").select_option("0")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    job = make_job(world.org)
    page.clock.run_for(60_000)
    assert asked == []

    page.get_by_label("Refresh").select_option("2")

    expect(page.locator(f"#job-{job.pk}")).to_be_visible()


def test_a_page_that_nobody_sees_asks_nothing(site: Site, world: World) -> None:
    page = site.visit("/queues/", world.operator)
    page.clock.install()
    page.goto("/jobs/")
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => window.away ?? true })")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for _ in range(60):
        page.clock.run_for(1_000)
    assert asked == []

    page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("[data-updated]")).to_have_text("updated now")
    assert len(asked) == 1


def test_filters_narrow_while_typing_and_the_address_follows(site: Site, world: World) -> None:
    needle = make_job(world.org, name="needle")
    make_job(world.org, name="hay")
    page = site.visit("/jobs/", world.operator)

    page.get_by_label("Search").press_sequentially("need", delay=20)

    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    expect(page.locator(f"#job-{needle.pk}")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/jobs/?q=need")
    page.locator("#chip-done").click()
    expect(page).to_have_url(f"{site.url}/jobs/?q=need&status=done")
    expect(page.locator("#jobs")).to_contain_text("No job matches")
    page.get_by_label("Search").fill("ne")
    expect(page).to_have_url(f"{site.url}/jobs/?q=ne&status=done")
    page.go_back()
    expect(page.get_by_label("Search")).to_have_value("need")
    expect(page.locator("#jobs")).to_contain_text("No job matches")
    page.go_back()
    expect(page.locator("#jobs tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{site.url}/jobs/?q=need")


def test_a_lost_session_leads_to_signing_in_and_back(site: Site, world: World) -> None:
    make_job(world.org)
    page = site.visit("/jobs/?type=python", world.operator)

    page.context.clear_cookies()

    expect(page).to_have_url(f"{site.url}/sign-in/?next=%2Fjobs%2F%3Ftype%3Dpython")
    site.complaints = [one for one in site.complaints if "401" not in one]
    assert signed_in(world.operator)


def test_a_server_that_is_away_is_told_and_asked_again(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.viewer)
    page.context.set_offline(True)
    expect(page.get_by_text("The server is not answering.")).to_be_visible()
    job = make_job(world.org)

    page.context.set_offline(False)

    expect(page.locator(f"#job-{job.pk}")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("The server is not answering.")).to_have_count(0)
    site.complaints.clear()


def test_shortcut_slash_goes_to_the_search(site: Site, world: World) -> None:
    page = site.visit("/jobs/", world.operator)

    page.keyboard.press("/")

    expect(page.get_by_label("Search")).to_be_focused()


def test_escape_closes_a_menu_and_gives_the_focus_back(site: Site, world: World) -> None:
    page = site.visit("/queues/", world.owner)
    menu = page.locator("header summary")
    menu.click()

    page.keyboard.press("Escape")

    expect(page.get_by_text("Sign out")).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_copy_button_copies(site: Site, world: World) -> None:
    job: UUID = make_job(world.org).pk
    page = site.visit(f"/jobs/{job}/", world.operator)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_label("Copy the id").click()

    expect(page.get_by_label("Copy the id")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == str(job)


def test_choosing_another_task_brings_its_arguments_and_its_forecast(site: Site, world: World) -> None:
    make_done(world.org, name="demo.primes")
    fold_runs()
    page = site.visit("/jobs/submit/?type=python", world.operator)
    expect(page.locator("#forecast")).to_contain_text("runs of similar jobs")

    page.get_by_role("combobox", name="Task").select_option("demo.primes")

    expect(page.locator("#job-arg_below")).to_have_value("1")
    expect(page.locator("#forecast")).to_contain_text("its last runs")
    page.locator("#job-arg_below").fill("{")
    expect(page.locator("#forecast")).to_contain_text("Fill in the form")
