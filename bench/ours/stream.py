"""Submits over REST at a steady rate, whatever the answers take: a slow answer does not put off the next request."""

import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from bench.percentiles import percentiles

CLIENTS = 32
WARM_UP = 100
# Payloads of twelve sizes: what is kept of one prediction serves those of its size.
SIZES = 12


def body() -> bytes:
    number = -(10 ** random.randrange(SIZES))
    return json.dumps(
        {"type": "python", "payload": {"task": "bench.noop", "kwargs": {"number": number}}, "queue": "bench"}
    ).encode()


class Answer(NamedTuple):
    """When it was due, how long after that it was there, and what it was: a status, or why there was none."""

    due: float
    seconds: float
    status: str


@dataclass
class Stream:
    address: str
    token: str
    rate: float
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.begun = time.monotonic()
        self.sent = 0
        self.threads = [threading.Thread(target=self.run) for _ in range(CLIENTS)]
        # A connection for each submit, as from a proxy or a shell. Kept ones stay with the process of the web that took
        # them, and one of the two may have most of the work.
        self.connections = queue.SimpleQueue[HTTPConnection]()
        for _ in self.threads:
            self.connections.put(HTTPConnection(self.address.removeprefix("http://"), timeout=30))

    def __enter__(self) -> "Stream":
        # every process of the web imports and opens what it does once
        with ThreadPoolExecutor(CLIENTS) as several:
            self.warmed_up = sum(status == "201" for status in several.map(lambda _: self.submit(), range(WARM_UP)))
        self.begun = time.monotonic()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def sent_all_due(self, until: float, seconds: float = 60.0) -> None:
        """Wait for the submits that were due by then but had to wait for earlier ones: they count too."""
        end = time.monotonic() + seconds
        while self.begun + self.sent / self.rate <= until and time.monotonic() < end:
            time.sleep(0.01)

    def run(self) -> None:
        while not self.stopping.is_set():
            with self.lock:
                due = self.begun + self.sent / self.rate
                self.sent += 1
            if self.stopping.wait(max(0.0, due - time.monotonic())):
                return
            status = self.submit()
            self.answers.append(Answer(due, time.monotonic() - due, status))

    def submit(self) -> str:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Connection": "close"}
        connection = self.connections.get()
        try:
            connection.request("POST", "/api/v1/jobs/", body=body(), headers=headers)
            answer = connection.getresponse()
            answer.read()
        except (HTTPException, OSError) as fault:
            connection.close()
            return type(fault).__name__
        finally:
            self.connections.put(connection)
        return str(answer.status)


def accepted(answers: Sequence[Answer]) -> int:
    return sum(each.status == "201" for each in answers)


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    waits = [each.seconds * 1_000 for each in answers]
    return {
        "submits": len(answers),
        "errors": len(answers) - accepted(answers),
        "answers": dict(Counter(each.status for each in answers)),
        **{f"{name}_ms": value for name, value in percentiles(waits).items()},
        "longest_ms": max(waits),
    }
