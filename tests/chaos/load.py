"""The clients: they submit until they are answered, cancel, replay, and remember what they were told."""

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

CLIENTS = 8
EVERY_MINUTE = {
    "cron": "* * * * *",
    # so that none is left out while the database is away, however long
    "missed": "all",
    "job": {"type": "python", "queue": "q0", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 4}}},
}
PATIENCE_SECONDS = 10.0


@dataclass
class Told:
    """What the deployment has answered. Every list is appended to, never changed."""

    # By idempotency key: ids it was acknowledged with, and whether it was refused (4xx).
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    # (time.monotonic(), status) of each 5xx, and of each call without an answer.
    faults: list[tuple[float, str]] = field(default_factory=list)
    # Of each submit that was answered at the first try: when it was sent, and the seconds it took.
    waits: list[tuple[float, float]] = field(default_factory=list)
    # When each submit was acknowledged, by time.monotonic().
    answered: list[float] = field(default_factory=list)
    cancelled_before_start: list[str] = field(default_factory=list)
    replayed: Counter[str] = field(default_factory=Counter)


class Load:
    # Due every minute, from its start to its end.
    schedules_made = 10

    def __init__(self, address: str, folder: Path, rate: float, seed: int) -> None:
        self.address = address
        self.effects = folder / "effects"
        self.rate = rate
        self.draw = random.Random(seed)
        self.told = Told()
        self.token = ""
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.begun = 0.0
        self.schedules: list[str] = []
        self.sent = 0
        self.threads = [threading.Thread(target=self.run, name=f"client-{n}", daemon=True) for n in range(CLIENTS)]

    def register(self) -> None:
        """An account of each try's own: one that had no answer in time may have been made all the same."""
        status, tries = 599, 0
        while status >= 500:
            tries += 1
            name = f"chaos-{tries}"
            who = {"username": name, "email": f"{name}@example.com", "password": "4 words of chaos"}
            status, answer = self.call("POST", "/api/v1/auth/register/", {**who, "organisation": name})
            time.sleep(0.2 if status >= 500 else 0)
        assert status < 300, (status, answer)
        self.token = answer["access"]

    def start(self) -> None:
        made = [
            self.until_answered("POST", "/api/v1/schedules/", {"name": f"minutely-{n}", **EVERY_MINUTE})
            for n in range(self.schedules_made)
        ]
        self.schedules = [schedule["id"] for schedule in made]
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        """No new ones; those on their way are sent until they are answered."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        for schedule in self.schedules:
            self.until_answered("PATCH", f"/api/v1/schedules/{schedule}/", {"is_paused": True})

    def run(self) -> None:
        while True:
            with self.lock:
                due = self.begun + self.sent / self.rate
                self.sent += 1
                number, act = self.sent, self.draw.random()
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            if act < 0.03:
                self.cancel_one()
            elif act < 0.05:
                self.replay_some()
            else:
                self.submit(f"chaos-{number}", twice=act > 0.95)

    # --- submits ------------------------------------------------------------------------------------------------

    def submit(self, key: str, *, twice: bool) -> None:
        body = self.job()
        self.told.sent[key] = body["payload"].get("task", body["type"])
        if twice:
            other = threading.Thread(target=self.submit_until_answered, args=(key, body), daemon=True)
            other.start()
            self.submit_until_answered(key, body)
            other.join()
        else:
            self.submit_until_answered(key, body)

    def submit_until_answered(self, key: str, body: dict[str, Any]) -> None:
        sent_at = time.monotonic()
        for tries in range(10_000):
            status, answer = self.call("POST", "/api/v1/jobs/", body, key)
            if status in (200, 201):
                with self.lock:
                    self.told.acknowledged.setdefault(key, []).append(answer["id"])
                self.told.answered.append(time.monotonic())
                if not tries:
                    self.told.waits.append((sent_at, time.monotonic() - sent_at))
                return
            if 400 <= status < 500 and status != 429:
                self.told.refused[key] = status
                return
            time.sleep(min(0.05 * 2**tries, 1.0))

    def job(self) -> dict[str, Any]:
        """One of many kinds, drawn by lot."""
        with self.lock:
            kind, number, seconds = self.draw.random(), self.draw.randrange(10**6), self.draw.uniform(0.2, 3)
        python: dict[str, Any] = {"type": "python", "queue": f"q{number % 3}"}

        def task(name: str, **kwargs: Any) -> dict[str, Any]:
            return {**python, "payload": {"task": name, "kwargs": kwargs}}

        if kind < 0.45:
            return task("demo.add", a=number, b=1)
        if kind < 0.60:
            return task("tests.mark", path=str(self.effects))
        if kind < 0.75:
            return task("child_tasks.effect", path=str(self.effects)) | {"max_attempts": 20}
        if kind < 0.80:
            return task("demo.wait", seconds=round(seconds, 2))
        if kind < 0.84:
            return task("demo.add", a=number, b=2) | {"delay_seconds": round(seconds, 2)}
        if kind < 0.88:
            return task("tests.fail_with", message="as told") | {"max_attempts": 2}
        if kind < 0.90:
            return task("child_tasks.die", how="kill") | {"max_attempts": 2}
        if kind < 0.93:
            return task("child_tasks.whoami")
        if kind < 0.96:
            return task("tests.about_me_async")
        if kind < 0.98:
            return task("no.such_task")
        return task("demo.add", a=number, b=3) | self.after_another()

    def after_another(self) -> dict[str, Any]:
        parent = self.some_job()
        return {"after_end": [parent]} if parent else {}

    def some_job(self) -> str | None:
        with self.lock:
            known = [ids[0] for ids in list(self.told.acknowledged.values())[-200:]]
            return self.draw.choice(known) if known else None

    # --- acts ---------------------------------------------------------------------------------------------------

    def cancel_one(self) -> None:
        job_id = self.some_job()
        if job_id is None:
            return
        status, answer = self.call("POST", f"/api/v1/jobs/{job_id}/cancellation/", {"reason": "chaos"})
        if status == 200 and answer.get("became") == "cancelled":
            self.told.cancelled_before_start.append(job_id)

    def replay_some(self) -> None:
        status, answer = self.call("GET", "/api/v1/dead-letters/?limit=5")
        if status != 200:
            return
        for item in answer["items"]:
            status, _ = self.call("POST", f"/api/v1/jobs/{item['id']}/replay/", {})
            if status in (200, 201, 202):
                self.told.replayed[item["id"]] += 1

    # --- calls --------------------------------------------------------------------------------------------------

    def until_answered(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        while True:
            status, answer = self.call(method, path, body)
            if status < 500:
                assert status < 300, (status, answer)
                return answer
            time.sleep(0.2)

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, dict[str, Any]]:
        """Status and body; 599 for no answer."""
        headers = {"Content-Type": "application/json", "Connection": "close"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"If-Match": "*"} if method == "PATCH" else {}
        connection = HTTPConnection(self.address, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body=json.dumps(body) if body is not None else None, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
            status = answer.status
        except (HTTPException, OSError) as error:
            self.told.faults.append((time.monotonic(), type(error).__name__))
            return 599, {}
        finally:
            connection.close()
        if status >= 500:
            self.told.faults.append((time.monotonic(), str(status)))
        return status, json.loads(text) if text.startswith(b"{") else {}
