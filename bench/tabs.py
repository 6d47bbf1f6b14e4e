"""Dashboards that nobody looks at: what open tabs cost the web and the database while nothing moves. Real processes."""

import html
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlencode

import psutil
import urllib3

from bench import cluster, machine, results
from bench.percentiles import percentiles
from bench.workers import ROOT

ABOUT = (
    "TABS open pages of one organisation, each asked again every EVERY_SECONDS as its script does, for SECONDS while "
    "no job moves; 2 gunicorn workers, 1 scheduler, 1 worker; CPU of the web and of all PostgreSQL processes, less "
    "what they use with no tab open; then IN_TURN polls of one page, each after the other"
)
TABS, EVERY_SECONDS, SECONDS = 50, 2.0, 60.0
# Polls of one page after each other, when the others have been closed.
IN_TURN = 500
BARS = {"share_of_a_core_percent": 5.0, "unchanged_p50_ms": 2.0}
PAGES = ("/jobs/", "/dead-letters/", "/queues/", "/")
REGION = re.compile(r'data-live\s+data-version="([^"]*)"\s+hx-get="([^"]*)"')


def main() -> None:
    with cluster.running() as server:
        facts = machine.facts()
        # not before there is a server for Django
        from bench.ours.stage import Stage

        figures = measure(Stage(server))
    sizes = {"TABS": TABS, "EVERY_SECONDS": EVERY_SECONDS, "SECONDS": SECONDS, "IN_TURN": IN_TURN}
    results.write("tabs", {"about": ABOUT, **facts, "sizes": sizes, "bars": BARS, "figures": figures})
    print(json.dumps(figures, indent=2))


def measure(stage: Any) -> dict[str, Any]:
    from bench.ours import web

    with ExitStack() as running:
        running.enter_context(stage.manage("runscheduler"))
        running.enter_context(stage.manage("runworker", "--queues", "bench"))
        address = running.enter_context(web.serving(stage, **collected(stage)))
        web.access_token()
        cookie = session_cookie()
        watched = Watched(stage.server)
        time.sleep(5)
        alone = watched.share(SECONDS / 2)
        tabs = [Tab(address, PAGES[number % len(PAGES)], cookie, number / TABS) for number in range(TABS)]
        for tab in tabs:
            tab.start()
        time.sleep(2 * EVERY_SECONDS)
        for tab in tabs:
            tab.forget()
        with_tabs = watched.share(SECONDS)
        for tab in tabs:
            tab.stop()
        in_turn = Tab(address, PAGES[0], cookie, 0)
        for _ in range(IN_TURN):
            in_turn.ask()
    answers = Counter(status for tab in tabs for status, _ in tab.answers)
    return {
        "answers": {str(status): count for status, count in answers.items()},
        "unchanged_ms": unchanged_ms(tabs),
        "unchanged_in_turn_ms": unchanged_ms([in_turn]),
        "core_percent_alone": round(100 * alone, 2),
        "core_percent_with_tabs": round(100 * with_tabs, 2),
        "core_percent_of_tabs": round(100 * (with_tabs - alone), 2),
    }


def unchanged_ms(tabs: list["Tab"]) -> dict[str, float]:
    times = [seconds * 1000 for tab in tabs for status, seconds in tab.answers if status == 204]
    return {name: round(value, 2) for name, value in percentiles(times).items()}


def collected(stage: Any) -> dict[str, str]:
    """The setting that says where the assets are, which pages outside development name by their content."""
    setting = {"SMARTQUEUE_STATIC_ROOT": str(stage.state_folder / "static")}
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, check=True, cwd=ROOT, env={**stage.environ, **setting})
    return setting


def session_cookie() -> str:
    """Of somebody who is signed in on the pages."""
    from django.conf import settings
    from django.test import Client

    from orgs.models import User

    client = Client()
    client.force_login(User.objects.get(username="bench"))
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


class Watched:
    """The processor time of all processes of the web and of the server."""

    def __init__(self, server: Any) -> None:
        self.postmaster = psutil.Process(server.process.pid)

    def seconds(self) -> float:
        mine = psutil.Process().children(recursive=True)
        web = [process for process in mine if "gunicorn" in " ".join(process.cmdline())]
        used = 0.0
        for process in {*web, self.postmaster, *self.postmaster.children()}:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used

    def share(self, seconds: float) -> float:
        """Of one core, in the seconds from now on."""
        before, begun = self.seconds(), time.monotonic()
        time.sleep(seconds)
        return (self.seconds() - before) / (time.monotonic() - begun)


class Tab(threading.Thread):
    """A page and its rounds; what changes is taken over, as the script does."""

    def __init__(self, address: str, path: str, cookie: str, offset: float) -> None:
        super().__init__(daemon=True)
        self.address, self.offset = address, offset
        self.pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=30)
        self.headers = {"Cookie": cookie}
        self.answers: list[tuple[int, float]] = []
        self.stopping = threading.Event()
        page = self.pool.request("GET", address + path, headers=self.headers)
        self.read(page.data.decode())

    def read(self, page: str) -> None:
        found = REGION.search(page)
        if found is None:
            raise AssertionError(page[:500])
        self.version, self.path = (html.unescape(part) for part in found.groups())

    def run(self) -> None:
        self.stopping.wait(self.offset * EVERY_SECONDS)
        while not self.stopping.wait(EVERY_SECONDS):
            self.ask()

    def ask(self) -> None:
        begun = time.perf_counter()
        asked = f"{self.path}{'&' if '?' in self.path else '?'}{urlencode({'v': self.version})}"
        reply = self.pool.request("GET", self.address + asked, headers={**self.headers, "HX-Request": "true"})
        self.answers.append((reply.status, time.perf_counter() - begun))
        if reply.status == 200:
            self.read(reply.data.decode())

    def forget(self) -> None:
        self.answers = []

    def stop(self) -> None:
        self.stopping.set()
        self.join()


if __name__ == "__main__":
    main()
