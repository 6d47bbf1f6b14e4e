"""A real Chromium, a real server and a real worker process, all on the test's database."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from jobs.models import WorkerProcess
from orgs.models import User
from tests.__main__ import INSTALL, find_browser
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import browser as signed_in

ROOT = Path(__file__).parent.parent.parent
# Told by the page itself: what its policy refused.
TELL_VIOLATIONS = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => refused.push(
    `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@pytest.fixture(scope="module")
def playwright_driver() -> Iterator[Playwright]:
    # Playwright's event loop lives in this thread, where Django then suspects every query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        yield playwright
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def chromium(playwright_driver: Playwright) -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(f"NO CHROMIUM on the PATH, so nothing was looked at in a browser. To have one: {INSTALL}")
    # A sandbox within the sandbox of a container, and its small /dev/shm, are what Chromium stumbles over.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    browser = playwright_driver.chromium.launch(executable_path=path, args=arguments)
    yield browser
    browser.close()


@dataclass
class Site:
    """The running server as browsers see it, and all that they complained of."""

    url: str
    chromium: Browser
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    def visit(
        self,
        path: str,
        user: User | None = None,
        *,
        width: int = 1280,
        dark: bool = False,
        script: bool = True,
    ) -> Page:
        """A new window on a page, signed in if a person is given."""
        context = self.chromium.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            base_url=self.url,
        )
        context.set_default_timeout(15_000)
        self.contexts.append(context)
        if user:
            session = signed_in(user).cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": self.url}])
        if script:
            context.add_init_script(TELL_VIOLATIONS)
        page = context.new_page()
        page.on("console", lambda message: self.hear(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught {error}"))
        page.on("request", lambda request: self.see(request.url))
        page.goto(path)
        return page

    def hear(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(f"console {kind}: {text}")

    def see(self, url: str) -> None:
        if urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"asked elsewhere: {url}")

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def site(chromium: Browser, live_server: LiveServer, world: World) -> Iterator[Site]:
    """At the end no page may have written to the console, left the host or broken the policy."""
    site = Site(live_server.url, chromium)
    yield site
    pages = [page for context in site.contexts for page in context.pages if page.url.startswith(site.url)]
    refused = [one for page in pages for one in page.evaluate("window.refused ?? []")]
    site.close()
    assert site.complaints + refused == []


def database_url() -> str:
    """The test's own database, for a process that did not come from pytest."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


@pytest.fixture
def worker(live_server: LiveServer, settings: Settings) -> Iterator[Callable[[], None]]:
    """Call it to start a worker; it ends with the test. Its http jobs may reach the live server."""
    host = urlsplit(live_server.url)
    settings.HTTP_ALLOW_HOSTS = [host.netloc]
    settings.HTTP_PORTS = [80, 443, host.port]
    environ = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "SMARTQUEUE_HTTP_ALLOW_HOSTS": host.netloc,
        "SMARTQUEUE_HTTP_PORTS": f"80,443,{host.port}",
    }
    command = [sys.executable, "manage.py", "runworker", "--queues", "*"]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(subprocess.Popen(command, cwd=ROOT, env=environ))
        eventually(lambda: WorkerProcess.objects.filter(status="online").exists(), within_seconds=30)

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
