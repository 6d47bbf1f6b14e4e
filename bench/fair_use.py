"""One organisation floods, another goes on as ever: what the quiet one's submits and starts take. Real processes."""

import json
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import urllib3

from bench import cluster, machine, results, sizes
from bench.percentiles import percentiles
from bench.sizes import PATIENCE_SECONDS

ABOUT = (
    "an organisation puts in FLOOD_JOBS jobs of FLOOD_JOB_MS each by bulk calls over REST, as fast as they are "
    "answered; another of the same weight submits to the same queue at QUIET_RATE a second for QUIET_SECONDS from the "
    "flood's first call on; 2 gunicorn workers, 2 runworker of WORKER_SLOTS slots each, 1 scheduler"
)
WORKERS, WORKER_SLOTS, FLOOD_CLIENTS, BULK = 2, 5, 4, 1_000
BARS = {"start_delay_p95_ms": 2_000.0, "submit_p99_ms": 250.0}
# So that what is measured is the queue and not the rates, which would put the flood off.
UNLIMITED = {f"SMARTQUEUE_{name}_JOB_RATE": "100000000/60" for name in ("USER", "ORG")}
DELAYS = """
SELECT 1000 * extract(epoch FROM attempt.started_at - job.created_at)::float8
FROM jobs_job AS job
LEFT JOIN jobs_attempt AS attempt ON attempt.job_id = job.id AND attempt.number = 1
WHERE job.org_id = (SELECT id FROM orgs_org WHERE slug = 'bench') AND job.created_at >= %s
"""


def main() -> None:
    with cluster.running() as server:
        facts = machine.facts()
        # not before there is a server for Django
        from bench.ours.stage import Stage

        figures = measure(Stage(server))
    report = {"about": ABOUT, **facts, "sizes": of_sizes(), "bars": BARS, "figures": figures}
    results.write("fair-use", report)
    print(json.dumps(figures, indent=2))


def of_sizes() -> dict[str, float]:
    names = ("FLOOD_JOBS", "FLOOD_JOB_MS", "QUIET_RATE", "QUIET_SECONDS")
    return {name: getattr(sizes, name) for name in names} | {"WORKERS": WORKERS, "WORKER_SLOTS": WORKER_SLOTS}


def measure(stage: Any) -> dict[str, Any]:
    from bench.ours import web
    from bench.ours.stream import Stream

    os.environ |= UNLIMITED
    with ExitStack() as running:
        running.enter_context(stage.manage("runscheduler"))
        for _ in range(WORKERS):
            running.enter_context(stage.manage("runworker", "--queues", "bench", "--concurrency", str(WORKER_SLOTS)))
        address = running.enter_context(web.serving(stage))
        quiet, flooding = web.access_token(), web.access_token("flood")
        stage.wait_until("SELECT count(*) FROM jobs_workerprocess WHERE status = 'online'", WORKERS + 1, "processes")
        with Stream(address, quiet, sizes.QUIET_RATE) as stream:
            begun = stage.number("SELECT (1e6 * extract(epoch FROM clock_timestamp()))::bigint")
            flood = Flood(address, flooding)
            flood.start()
            time.sleep(sizes.QUIET_SECONDS)
            left = stage.number("SELECT count(*) FROM jobs_ready WHERE queue = 'bench'")
        flood.join()
        submits = list(stream.answers)
        coming_in = [one for one in submits if one.due <= flood.ended]
        waits = delays(stage, begun / 1e6)
    return {
        "flood_jobs_accepted": flood.accepted,
        "flood_answers": dict(flood.answers),
        "flood_put_in_seconds": round(flood.seconds, 1),
        "waiting_at_the_end": left,
        "quiet_submits": len(submits),
        "quiet_errors": sum(one.status != "201" for one in submits),
        "submit_ms": rounded(percentiles([one.seconds * 1_000 for one in submits])),
        "submit_while_it_comes_in_ms": rounded(percentiles([one.seconds * 1_000 for one in coming_in])),
        "start_delay_ms": rounded(percentiles(waits)),
        "longest_start_delay_ms": round(max(waits), 1),
    }


def rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in found.items()}


class Flood(threading.Thread):
    """Bulk calls, one after the other on each of some connections."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__()
        self.url = f"{address}/api/v1/jobs/bulk/"
        self.pool = urllib3.PoolManager(maxsize=FLOOD_CLIENTS, retries=False, timeout=PATIENCE_SECONDS)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        payload = {"task": "bench.nap", "kwargs": {"milliseconds": sizes.FLOOD_JOB_MS}}
        self.job = {"type": "python", "payload": payload, "queue": "bench"}
        self.answers: Counter[str] = Counter()
        self.accepted, self.seconds, self.ended = 0, 0.0, 0.0

    def run(self) -> None:
        begun = time.monotonic()
        calls = [min(BULK, sizes.FLOOD_JOBS - start) for start in range(0, sizes.FLOOD_JOBS, BULK)]
        with ThreadPoolExecutor(FLOOD_CLIENTS) as several:
            for status, accepted in several.map(self.call, calls):
                self.answers[str(status)] += 1
                self.accepted += accepted
        self.ended = time.monotonic()
        self.seconds = self.ended - begun

    def call(self, jobs: int) -> tuple[int, int]:
        body = json.dumps({"jobs": [self.job] * jobs})
        reply = self.pool.request("POST", self.url, body=body, headers=self.headers)
        return reply.status, reply.json().get("created", 0)


def delays(stage: Any, since: float) -> list[float]:
    """In milliseconds, of all jobs that the quiet one submitted since: each has to have started."""
    with psycopg.connect(stage.environ["DATABASE_URL"], autocommit=True) as session:
        for _ in stage.patiently("the jobs of the quiet organisation to have run"):
            moment = session.execute("SELECT to_timestamp(%s)", [since]).fetchone()
            found = [delay for (delay,) in session.execute(DELAYS, moment).fetchall()]
            if None not in found:
                return found
    raise AssertionError


if __name__ == "__main__":
    main()
