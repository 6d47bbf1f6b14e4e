"""Where the time of a drain goes."""

from typing import Any

import psutil

from bench import sizes
from bench.ours.stage import Stage
from bench.ours.statements import Durations, first_words, logged
from bench.peers import counter

ABOUT = "where the time of a drain goes: the worker's processor time, and the server's by statement"
SIZES = ("SLOTS", "PROFILE_JOBS")
SHOWN = 12


def measure(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    jobs = sizes.PROFILE_JOBS
    stage.measure("bulk", jobs)
    counter.forget(stage.folder)
    with logged(stage) as durations, stage.worker() as (pid,):
        window = stage.all_running(1, jobs)
        # from here on it starts nothing more up
        worker, before = psutil.Process(pid), psutil.Process(pid).cpu_times()
        ended = stage.all_done(jobs)
        after = worker.cpu_times()
    rest = max(1, jobs - window.runs)
    processor = (after.user + after.system) - (before.user + before.system)
    return {
        "wall_us_per_job": (ended - window.begun_ns) / 1_000 / rest,
        "worker_processor_us_per_job": processor * 1e6 / rest,
        "statements": by_cost(durations, jobs),
    }


def by_cost(durations: Durations, jobs: int) -> dict[str, str]:
    """The costliest statements: how often, how long each, and the share of a job."""
    same: Durations = {}
    for text, each in durations.items():
        same.setdefault(first_words(text), []).extend(each)
    ranked = sorted(same.items(), key=lambda item: -sum(item[1]))
    return {
        text: f"{len(each)} × {sum(each) / len(each):.2f} ms = {sum(each) / jobs * 1_000:.1f} us a job"
        for text, each in ranked[:SHOWN]
    }
