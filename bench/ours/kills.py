"""Workers die; jobs do not."""

import random
import subprocess
import sys
import time
from typing import Any

from bench import sizes, workers
from bench.ours.stage import QUEUE, STATE_OF_QUEUE, Stage
from bench.peers import counter

ABOUT = "workers drain while one of them, drawn by lot, is killed every so often and another started"
SIZES = ("SLOTS", "KILL_WORKERS", "KILL_JOBS", "KILL_SECONDS", "KILL_SEED")
# Everything that takes seconds takes less: the rules are the same.
QUICK = {
    "SMARTQUEUE_LEASE_SECONDS": "3",
    "SMARTQUEUE_LEASE_RENEW_SECONDS": "1",
    "SMARTQUEUE_HEARTBEAT_SECONDS": "1",
    "SMARTQUEUE_WORKER_DEAD_SECONDS": "4",
    "SMARTQUEUE_WATCHDOG_SECONDS": "0.5",
}
CHECKS = {
    "done": "SELECT count(*) FROM jobs_job WHERE status = 'done'",
    "not_done": "SELECT count(*) FROM jobs_job WHERE status <> 'done'",
    "done_more_than_once": """SELECT count(*) FROM (SELECT FROM jobs_transition WHERE to_status = 'done'
                              GROUP BY job_id HAVING count(*) > 1) AS twice""",
    "attempts_done_more_than_once": """SELECT count(*) FROM (SELECT FROM jobs_attempt WHERE outcome = 'done'
                                       GROUP BY job_id HAVING count(*) > 1) AS twice""",
    "most_attempts": "SELECT max(attempt) FROM jobs_job",
    "attempts_over_the_limit": "SELECT count(*) FROM jobs_job WHERE attempt > attempt_limit",
    "attempts_lost_with_a_worker": "SELECT count(*) FROM jobs_attempt WHERE outcome = 'lost'",
    "waiting_or_leased": STATE_OF_QUEUE,
}
MUST_BE_ZERO = (
    "not_done",
    "done_more_than_once",
    "attempts_done_more_than_once",
    "attempts_over_the_limit",
    "waiting_or_leased",
)


def measure(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    stage.measure("bulk", sizes.KILL_JOBS)
    counter.forget(stage.folder)
    with stage.manage("runwatchdog", **QUICK):
        begun = time.monotonic()
        kills, ended = under_fire(stage)
    found = {name: stage.number(query) for name, query in CHECKS.items()}
    if found["done"] != sizes.KILL_JOBS or any(found[name] for name in MUST_BE_ZERO):
        raise AssertionError(f"of {sizes.KILL_JOBS} jobs: {found}")
    return {
        "seconds": ended - begun,
        "kills": kills,
        "handler_runs": counter.read(stage.folder).runs,
        **found,
    }


def under_fire(stage: Stage) -> tuple[int, float]:
    """How many workers were killed until nothing was left to do, and when that was."""
    chance = random.Random(sizes.KILL_SEED)
    fleet = [start(stage) for _ in range(sizes.KILL_WORKERS)]
    kills, next_kill = 0, time.monotonic() + sizes.KILL_SECONDS
    try:
        for _ in stage.patiently("all jobs to be done"):
            asked = time.monotonic()
            if asked >= next_kill:
                kill(fleet, chance.randrange(len(fleet)), stage)
                kills, next_kill = kills + 1, next_kill + sizes.KILL_SECONDS
            if stage.number(STATE_OF_QUEUE) == 0:
                return kills, asked
            time.sleep(0.2)
    finally:
        workers.stop(fleet)
    raise AssertionError


def start(stage: Stage) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "manage.py", "runworker", "--queues", QUEUE, "--concurrency", str(sizes.SLOTS)]
    return workers.start(command, {**stage.environ, **QUICK}, stage.log)


def kill(fleet: "list[subprocess.Popen[bytes]]", number: int, stage: Stage) -> None:
    """SIGKILL: it has no time to give anything back. Another takes its place."""
    fleet[number].kill()
    fleet[number].wait()
    fleet[number] = start(stage)
