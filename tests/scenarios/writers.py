"""Callers of the REST API that ask again until they are answered, and remember what they were told."""

import json
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from typing import Any

from smartqueue.errors import PROBLEM_JSON
from tests.processes import patiently

PATIENCE_SECONDS = 60.0
# A submit, and how long a refused caller waits: sooner than Retry-After asks, to see when it would have been served.
PACE_SECONDS, AGAIN_SECONDS = 0.1, 0.05
NO_ANSWER = 599
PERSON = {"username": "writer", "password": "4 words of faults"}
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: dict[str, Any]
    sent_at: float
    at: float

    @property
    def seconds(self) -> float:
        return self.at - self.sent_at

    @property
    def refused_well(self) -> bool:
        """503 as documented: when to ask again, and a problem in JSON."""
        return (
            self.status == 503
            and self.headers.get("Retry-After", "").isdigit()
            and self.headers.get("Content-Type", "").startswith(PROBLEM_JSON)
            and self.body["status"] == 503
        )


class Client:
    """One person."""

    def __init__(self, url: str) -> None:
        self.host = url.removeprefix("http://")
        self.token = ""

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> Reply:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        connection = HTTPConnection(self.host, timeout=PATIENCE_SECONDS)
        sent_at = time.monotonic()
        try:
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            text, status, got = answer.read(), answer.status, dict(answer.getheaders())
        except (HTTPException, OSError) as error:
            return Reply(NO_ANSWER, {}, {"error": repr(error)}, sent_at, time.monotonic())
        finally:
            connection.close()
        return Reply(status, got, json.loads(text) if text.startswith(b"{") else {}, sent_at, time.monotonic())

    def ready(self) -> bool:
        return self.call("GET", "/readyz").status == 200

    def register(self) -> None:
        """With an organisation of his own."""
        person = {**PERSON, "email": "writer@example.com", "organisation": "Faults"}
        reply = self.call("POST", "/api/v1/auth/register/", person)
        assert reply.status == 201, reply
        self.token = reply.body["access"]

    def sign_in(self) -> None:
        self.token = ""
        reply = self.call("POST", "/api/v1/auth/login/", PERSON)
        assert reply.status == 200, reply
        self.token = reply.body["access"]

    def submit(self, body: Any = None, key: str = "") -> Reply:
        return self.call("POST", "/api/v1/jobs/", body or ADD, key)

    def submitted(self, body: Any = None) -> str:
        """The id of a job that was stored, which may take some asking."""

        def asked() -> str | None:
            reply = self.submit(body)
            assert reply.status in (201, 401, 503), reply
            if reply.status == 401:
                # a clock that jumped back: the token comes from its future
                self.sign_in()
            return reply.body.get("id")

        return str(patiently(asked, every_seconds=AGAIN_SECONDS))


class Writers:
    """So many threads that submit, each key until it is acknowledged; a context, at whose end all have been."""

    def __init__(self, client: Client, threads: int = 8, name: str = "w") -> None:
        self.client = client
        self.name = name
        self.replies: list[Reply] = []
        self.acknowledged: dict[str, set[str]] = {}
        self.numbers = count(1)
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def begin(self) -> None:
        for thread in self.threads:
            thread.start()

    def __enter__(self) -> "Writers":
        """Returns once they are well under way."""
        self.begin()
        patiently(lambda: len(self.acknowledged) >= 5 * len(self.threads))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def end(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * PATIENCE_SECONDS)
            assert not thread.is_alive(), "a submit is never answered"

    def run(self) -> None:
        while not self.stopping.is_set():
            self.until_acknowledged(f"{self.name}-{next(self.numbers)}")
            self.stopping.wait(PACE_SECONDS)

    def until_acknowledged(self, key: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            reply = self.client.submit(key=key)
            self.replies.append(reply)
            if reply.status in (200, 201):
                self.acknowledged.setdefault(key, set()).add(reply.body["id"])
                return
            time.sleep(AGAIN_SECONDS)

    def first_201_after(self, moment: float) -> float:
        """Waits for it; the seconds from that moment until it was here."""

        def first() -> list[float]:
            return [reply.at for reply in list(self.replies) if reply.status == 201 and reply.at > moment]

        return min(patiently(first, every_seconds=0.01)) - moment

    def refused_after(self, moment: float) -> bool:
        return any(reply.status == 503 for reply in self.since(moment))

    def since(self, moment: float) -> list[Reply]:
        return [reply for reply in list(self.replies) if reply.sent_at >= moment]
