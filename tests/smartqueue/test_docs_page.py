"""The interactive documentation, in a real browser and without the internet."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""


def test_the_page_holds_no_script_or_style_of_its_own(db: None) -> None:
    page = Client().get("/api/v1/docs/")
    script = Client().get("/api/v1/docs/?script=")

    html = page.content.decode()
    assert page.status_code == script.status_code == 200
    assert "<style" not in html
    assert " style=" not in html
    assert html.count("<script ") == html.count("></script>") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html
    assert script["Content-Type"].startswith("application/javascript")
    assert "'unsafe" not in page["Content-Security-Policy"]
    assert not page.cookies


def test_the_page_wears_the_theme_a_person_chose(db: None) -> None:
    client = Client()
    client.cookies["theme"] = "dark"

    assert '<html lang="en" data-theme="dark">' in client.get("/api/v1/docs/").content.decode()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    if not CHROMIUM:
        pytest.skip("no Chromium here")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield chromium.new_page()
        chromium.close()


MOST_SCROLLS = 100


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_swagger_shows_every_operation_within_our_policy(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    strangers: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: strangers.append(request.url) if foreign(request.url, live_server.url) else None)
    page.add_init_script(
        "window.violations = [];"
        "document.addEventListener('securitypolicyviolation', (event) => violations.push("
        "`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`))"
    )

    page.emulate_media(color_scheme="dark")
    # a link to one operation opens it, wherever in the list it is
    page.goto(f"{live_server.url}/api/v1/docs/#/jobs/submit_job")
    page.wait_for_selector("#operations-jobs-submit_job .responses-inner")
    page.click("#operations-jobs-submit_job .try-out__btn")
    page.click("#operations-jobs-submit_job .execute")
    page.wait_for_selector("#operations-jobs-submit_job .live-responses-table")

    operations: dict[str, Any] = page.evaluate("fetch('/api/v1/schema/?format=json').then((answer) => answer.json())")
    expected = sum(len(methods) for methods in operations["paths"].values())
    assert (
        page.locator("#operations-jobs-submit_job .live-responses-table tbody .response-col_status").inner_text()
        == "401"
    )
    assert page.evaluate("document.documentElement.className") == "dark-mode"
    assert len(operations_shown(page)) == expected
    assert page.evaluate("violations") == []
    assert strangers == []
    # it takes the underscore of a name for a blank of a link as they once were, and finds it all the same
    assert [text for text in complaints if "401" not in text and "deep link whitespace" not in text] == []


def operations_shown(page: Page) -> set[str]:
    """From the top to the end of the page: of a list that long it holds those alone that are looked at."""
    found: set[str] = set()
    page.evaluate("window.scrollTo(0, 0)")
    for _ in range(MOST_SCROLLS):
        page.wait_for_timeout(100)
        found |= set(page.evaluate("[...document.querySelectorAll('.opblock')].map((one) => one.id)"))
        if page.evaluate("window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 1"):
            break
        page.evaluate("window.scrollBy(0, 500)")
    return found


def foreign(url: str, own: str) -> bool:
    return not url.startswith((own, "data:", "blob:"))
