"""A mixed load on a deployment that runs already, with its Prometheus asked what the board of Grafana asks.

python -m bench soak PROMETHEUS WEB ...   with addresses such as http://127.0.0.1:9090 http://127.0.0.1:8000

It signs up organisations of its own, so it is for a deployment to be tried, not for one in use. Workers must know
`SMARTQUEUE_TASK_MODULES=smartqueue.demo.tasks`, and may reach the first web (`SMARTQUEUE_HTTP_ALLOW_HOSTS`). A new
organisation may run no programs, and a mail server is not there: no shell and email jobs.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from bench import results
from bench.percentiles import percentiles

SECONDS = float(os.environ.get("SECONDS", "3600"))
RATE = float(os.environ.get("RATE", "4"))
ORGS, CLIENTS, SAMPLE_SECONDS, REST_SECONDS = 3, 4, 60.0, 300.0
BOARD = Path(__file__).parents[1] / "deploy" / "grafana" / "dashboards" / "smartqueue.json"
ABOUT = (
    "a deployment put up as docs/hosts.md says; RATE calls a second for SECONDS, of them 70 % submits of six types, "
    "the rest reads, cancellations and replays; every query of the board asked each SAMPLE_SECONDS"
)
Body = dict[str, Any]


def python(name: str, **kwargs: Any) -> Body:
    return {"type": "python", "payload": {"task": f"demo.{name}", "kwargs": kwargs}}


def submits(draw: random.Random, web: str) -> list[tuple[int, Body]]:
    """(share, job) of each kind of job."""
    rows = [{"city": draw.choice(("Oslo", "Lima", "Pune")), "n": draw.randint(1, 99)} for _ in range(50)]
    total = [{"group": {"by": ["city"], "aggregates": {"total": {"sum": "n"}}}}]
    return [
        (24, python("primes", below=draw.choice((10_000, 100_000, 200_000)))),
        (14, python("add", a=draw.randint(1, 10**6), b=1)),
        (8, {**python("flaky", succeed_on=2), "queue": "flaky"}),
        (4, {**python("fail_always", reason="soak"), "max_attempts": 2}),
        (12, {"type": "image-resize", "payload": {"image": {"url": f"{web}/static/sample.png"}, "width": 64}}),
        (12, {"type": "etl", "payload": {"source": {"rows": rows}, "steps": total, "sink": {"artefact": "t.csv"}}}),
        (14, {"type": "http", "payload": {"url": f"{web}/healthz", "expect_status": [200]}}),
        (2, {"type": "data-export", "payload": {"dataset": "jobs", "filter": {"status": ["failed"]}}}),
        (6, {**python("add", a=1, b=2), "delay_seconds": draw.randint(5, 120)}),
        (
            4,
            {**python("word_count", text="to be or not to be"), "title": "Invoice export is urgent", "urgency": "high"},
        ),
    ]


def filled_in(query: str) -> str:
    """As Grafana asks it, with every job type chosen."""
    return query.replace("$__rate_interval", "1m").replace("$__range", "1h").replace("$job_type", ".*")


@dataclass
class Told:
    """What the deployment said."""

    accepted: dict[int, set[str]] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    submit_ms: list[float] = field(default_factory=list)
    read_ms: list[float] = field(default_factory=list)
    # those that another web did not answer either
    unanswered: int = 0


class Load:
    def __init__(self, webs: list[str]) -> None:
        self.webs, self.told, self.lock = webs, Told(), threading.Lock()
        self.pool = urllib3.PoolManager(maxsize=CLIENTS + 2, retries=False, timeout=30)
        self.keys = [self.sign_up(n) for n in range(ORGS)]
        self.stopping = threading.Event()

    def sign_up(self, n: int) -> str:
        """An API key of a new organisation: it lasts longer than a sign-in does."""
        name = f"soak-{int(time.time())}-{n}"
        who = {
            "username": name,
            "email": f"{name}@example.com",
            "password": "nine grey herons wade",
            "organisation": name,
        }
        status, answer = self.call("POST", "/auth/register/", who, "")
        assert status == 201, answer
        token = answer["access"]
        body = {"name": "soak", "role": "operator", "expires_in_days": 2}
        self.told.accepted[n] = set()
        return str(self.call("POST", "/keys/", body, token)[1]["token"])

    def call(self, method: str, path: str, body: Any, token: str, key: str = "") -> tuple[int, Body]:
        """Asks one web, and where it does not answer, the other. Status 0 where none does."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        headers |= {"Idempotency-Key": key} if key else {}
        for web in random.sample(self.webs, len(self.webs)):
            try:
                data = json.dumps(body) if body is not None else None
                reply = self.pool.request(method, f"{web}/api/v1{path}", body=data, headers=headers)
            except urllib3.exceptions.HTTPError:
                continue
            with self.lock:
                self.told.answers[str(reply.status)] += 1
            return reply.status, json.loads(reply.data) if reply.data[:1] in (b"{", b"[") else {}
        with self.lock:
            self.told.unanswered += 1
        return 0, {}

    def client(self, seed: int) -> None:
        draw, due = random.Random(seed), time.monotonic()
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            due += draw.expovariate(RATE / CLIENTS)
            self.act(draw, draw.randrange(ORGS))

    def act(self, draw: random.Random, org: int) -> None:
        token, act = self.keys[org], draw.random()
        if act < 0.7:
            jobs = submits(draw, self.webs[0])
            (body,) = draw.choices([job for _, job in jobs], [share for share, _ in jobs])
            # asked again with the same key until it is answered: the promise is about what was answered
            key, status, began = f"soak-{draw.getrandbits(60)}", 0, time.monotonic()
            while status not in (200, 201) and not 400 <= status < 500 and time.monotonic() - began < 60:
                status, answer = self.call("POST", "/jobs/", body, token, key)
            with self.lock:
                self.told.submit_ms.append((time.monotonic() - began) * 1000)
                if status in (200, 201):
                    self.told.accepted[org].add(answer["id"])
            return
        paths = ["/queues/", "/summary/", "/jobs/?status=failed&limit=20", "/jobs/?limit=50", "/dead-letters/?limit=5"]
        path, began = draw.choice(paths), time.monotonic()
        _, found = self.call("GET", path, None, token)
        with self.lock:
            self.told.read_ms.append((time.monotonic() - began) * 1000)
        for job in found.get("items", [])[: path.count("limit")][:1]:
            if act > 0.97:
                self.call("POST", f"/jobs/{job['id']}/replay/", {}, token)
            elif act > 0.94:
                self.call("POST", f"/jobs/{job['id']}/cancellation/", {"reason": "soak"}, token)

    def at_rest(self, org: int) -> bool:
        found = self.call("GET", "/jobs/?status=scheduled,queued,running&limit=1", None, self.keys[org])[1]
        return found.get("items") == []

    def ends(self, org: int) -> Counter[str]:
        """How each accepted job stands; `lost` where nobody knows it."""
        known: dict[str, str] = {}
        path = "/jobs/?limit=200"
        while path:
            found = self.call("GET", path, None, self.keys[org])[1]
            known |= {job["id"]: job["status"] for job in found["items"]}
            path = f"/jobs/?limit=200&cursor={found['next_cursor']}" if found.get("next_cursor") else ""
        return Counter(known.get(job_id, "lost") for job_id in self.told.accepted[org])


class Watch:
    """What Prometheus answers to the board's queries, and which alerts fire."""

    def __init__(self, prometheus: str) -> None:
        self.prometheus = prometheus
        self.queries = [
            (panel["title"], filled_in(target["expr"]))
            for panel in json.loads(BOARD.read_text(encoding="utf-8"))["panels"]
            for target in panel.get("targets", [])
        ]
        self.samples = 0
        self.with_data: Counter[str] = Counter()
        self.seen: dict[str, list[float]] = {}
        self.firing: Counter[str] = Counter()
        self.down: Counter[str] = Counter()

    def ask(self, query: str) -> list[Body]:
        url = f"{self.prometheus}/api/v1/query?{urlencode({'query': query})}"
        return list(urllib3.request("GET", url, timeout=30).json()["data"]["result"])

    def sample(self) -> None:
        self.samples += 1
        for number, (title, query) in enumerate(self.queries):
            name = f"{title} [{number}]"
            found = self.ask(query)
            values = [float(one["value"][1]) for one in found if one["value"][1] != "NaN"]
            self.with_data[name] += bool(found)
            if values:
                low, high = self.seen.get(name, [values[0], values[0]])
                self.seen[name] = [min(low, *values), max(high, *values)]
        for alert in urllib3.request("GET", f"{self.prometheus}/api/v1/alerts", timeout=30).json()["data"]["alerts"]:
            if alert["state"] == "firing":
                self.firing[alert["labels"]["alertname"]] += 1
        self.down.update(one["metric"]["instance"] for one in self.ask("up == 0"))

    def told(self) -> Body:
        always = [name for name, count in self.with_data.items() if count == self.samples]
        return {
            "samples": self.samples,
            "queries": len(self.queries),
            "with_data_in_every_sample": len(always),
            "without_data_in": {n: self.samples - c for n, c in self.with_data.items() if c < self.samples},
            "alerts_firing_in_samples": dict(self.firing),
            "targets_down_in_samples": dict(self.down),
            "lowest_and_highest": {name: [round(x, 4) for x in pair] for name, pair in self.seen.items()},
        }


def repeat(every: float, stopping: threading.Event, act: Callable[[], None]) -> None:
    while not stopping.wait(every):
        act()


def main(words: list[str]) -> None:
    prometheus, *webs = words
    load, watch = Load(webs), Watch(prometheus)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    threads = [threading.Thread(target=load.client, args=(seed,), daemon=True) for seed in range(CLIENTS)]
    threads.append(threading.Thread(target=repeat, args=(SAMPLE_SECONDS, load.stopping, watch.sample), daemon=True))
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)
    load.stopping.set()
    for thread in threads:
        thread.join()
    end = time.monotonic() + REST_SECONDS
    while time.monotonic() < end and not all(load.at_rest(org) for org in range(ORGS)):
        time.sleep(1)
    ends = sum((load.ends(org) for org in range(ORGS)), Counter[str]())
    told = load.told
    figures = {
        "accepted": sum(map(len, told.accepted.values())),
        "ends": dict(ends),
        "answers": dict(sorted(told.answers.items())),
        "calls_no_web_answered": told.unanswered,
        "submit_ms": {name: round(value, 1) for name, value in percentiles(told.submit_ms).items()},
        "read_ms": {name: round(value, 1) for name, value in percentiles(told.read_ms).items()},
        "board": watch.told(),
    }
    sizes = {"SECONDS": SECONDS, "RATE": RATE, "ORGS": ORGS, "SAMPLE_SECONDS": SAMPLE_SECONDS}
    report = {"about": ABOUT, "measured_at": began, "cores": os.cpu_count(), "sizes": sizes, "figures": figures}
    results.write("soak", report)
    print(json.dumps(figures, indent=2))
