"""`make screenshots`: a picture of each page of the demo organisation, for docs/screenshots/. Needs Chromium."""

import io
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from smartqueue.welcome import Login, demo_logins
from tests.__main__ import INSTALL, find_browser
from tests.process import ROOT, Process

FOLDER = ROOT / "docs" / "screenshots"
UP_SECONDS = 180
# The demo submits about a job a second: so long, and something of each kind has run.
MOVING_SECONDS = 45
QUALITY = 82


@dataclass(frozen=True)
class Shot:
    """A page, by the name of its picture; `path` may name one of `ids`."""

    name: str
    path: str
    who: str = "ada"


SHOTS = [
    Shot("overview", "/"),
    Shot("jobs", "/jobs/"),
    Shot("jobs-filtered", "/jobs/?status=failed&within=7d"),
    Shot("job-done", "/jobs/{done}/"),
    Shot("job-failed", "/jobs/{failed}/"),
    Shot("job-scheduled", "/jobs/{scheduled}/"),
    Shot("submit", "/jobs/submit/?type=http"),
    Shot("submit-task", "/jobs/submit/?type=python"),
    Shot("dead-letters", "/dead-letters/"),
    Shot("errors", "/errors/"),
    Shot("bulk-new", "/bulk-operations/new/?of=dead-letters&kind=replay"),
    Shot("bulk-operations", "/bulk-operations/"),
    Shot("files", "/artefacts/"),
    Shot("schedules", "/schedules/"),
    Shot("schedule", "/schedules/{schedule}/"),
    Shot("queues", "/queues/"),
    Shot("queue", "/queues/default/"),
    Shot("limits", "/limits/"),
    Shot("workers", "/workers/"),
    Shot("worker", "/workers/{worker}/"),
    Shot("analytics", "/analytics/?hours=1"),
    Shot("model", "/model/"),
    Shot("classifier", "/classifier/"),
    Shot("members", "/members/"),
    Shot("api-keys", "/api-keys/"),
    Shot("secrets", "/secrets/"),
    Shot("webhooks", "/webhooks/"),
    Shot("alerts", "/alerts/"),
    Shot("usage", "/usage/"),
    Shot("settings", "/settings/"),
    Shot("audit", "/audit/"),
    Shot("profile", "/profile/"),
    Shot("organisations", "/organisations/"),
    Shot("platform", "/platform/organisations/", "root"),
]
# Name, width, height, dark
LOOKS = [("light", 1280, 860, False), ("dark", 1280, 860, True), ("phone", 360, 760, True)]


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """The demo, from nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environ = {**os.environ, "SMARTQUEUE_STATE_DIR": str(folder), "PORT": str(port), "SMARTQUEUE_DEBUG": "1"}
    process = Process([sys.executable, "-m", "smartqueue"], folder / "up.log", environ)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + UP_SECONDS
        while "SmartQueue is up" not in process.text:
            if not process.running or time.monotonic() > deadline:
                raise SystemExit(process.text)
            time.sleep(0.5)
        time.sleep(MOVING_SECONDS)
        yield url
    finally:
        process.close()


def ids(url: str, login: Login) -> dict[str, str]:
    """A job of some statuses, a schedule and a worker."""
    http = urllib3.PoolManager()

    def asked(method: str, path: str, **more: Any) -> Any:
        return json.loads(http.request(method, f"{url}/api/v1/{path}", **more).data)

    tokens = asked("POST", "auth/login/", json={"username": login.username, "password": login.password})
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    asked("POST", "jobs/", headers=headers, json={**job, "delay_seconds": 86_400})
    found = {}
    for status in ("done", "failed", "scheduled"):
        listed = asked("GET", f"jobs/?status={status}&limit=1", headers=headers)
        found[status] = listed["items"][0]["id"]
    nightly = {"name": "nightly-sum", "cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", "job": job}
    found["schedule"] = asked("POST", "schedules/", headers=headers, json=nightly)["id"]
    workers = asked("GET", "workers/", headers=headers)["items"]
    found["worker"] = next(one["id"] for one in workers if one["kind"] == "worker")
    return found


def signed_in(browser: Browser, url: str, login: Login) -> dict[str, Any]:
    """The browser's state after sign-in."""
    page = browser.new_page(base_url=url)
    page.goto("/sign-in/")
    page.fill("[name=username]", login.username)
    page.fill("[name=password]", login.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "sign-in" not in address)
    state: dict[str, Any] = dict(page.context.storage_state())
    page.context.close()
    return state


def picture(page: Page, shot: Shot, look: str, path: str) -> None:
    page.goto(path)
    page.wait_for_timeout(700)
    name = f"{shot.name}-{look}.webp"
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(FOLDER / name, quality=QUALITY, method=6)
    print(f"docs/screenshots/{name}", flush=True)


def gallery() -> None:
    """The page that shows them all."""
    lines = ["# Screenshots", "", "Each page of the demo organisation, made by `make screenshots`.", ""]
    for shot in SHOTS:
        shown = " ".join(f'<img src="screenshots/{shot.name}-{look}.webp" alt="{shot.name}, {look}" '
                         f'width="{150 if look == "phone" else 400}">' for look, *_ in LOOKS)  # fmt: skip
        lines += [f"## {shot.name.replace('-', ' ').capitalize()}", "", f"`{shot.path}`", "", shown, ""]
    (ROOT / "docs" / "screenshots.md").write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    chromium = find_browser()
    if chromium is None:
        raise SystemExit(f"No Chromium on the PATH. To have one: {INSTALL}")
    FOLDER.mkdir(exist_ok=True)
    only = set(sys.argv[1:])
    with (
        tempfile.TemporaryDirectory(prefix="sq-shots-") as folder,
        site(Path(folder)) as url,
        sync_playwright() as drive,
    ):
        logins = {login.username: login for login in demo_logins(Path(folder))}
        known = ids(url, logins["ada"])
        arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = drive.chromium.launch(executable_path=chromium, args=arguments)
        states = {who: signed_in(browser, url, logins[who]) for who in {shot.who for shot in SHOTS}}
        for look, width, height, dark in LOOKS:
            for shot in SHOTS:
                if only and shot.name not in only:
                    continue
                context = browser.new_context(
                    base_url=url,
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if dark else "light",
                    storage_state=states[shot.who],  # type: ignore[arg-type]
                )
                picture(context.new_page(), shot, look, shot.path.format(**known))
                context.close()
        browser.close()
    gallery()


if __name__ == "__main__":
    main()
