"""SmartQueue beside its peers: the same machine, the same PostgreSQL, the same run, in rounds of one measure each."""

import json
import statistics
from collections.abc import Sequence
from typing import Any

import psycopg

from bench import cluster, sizes, workers
from bench.peers import counter
from bench.percentiles import percentiles
from bench.runner import REDIS, Runner
from smartqueue.embedded import Server

Figures = dict[str, Any]
FAULTS = (RuntimeError, TimeoutError, AssertionError, psycopg.Error)
# Of the probe: enough to tell the options apart.
PROBE_JOBS, PROBE_SECONDS = 300, 1.5

DURABILITY = {
    "smartqueue": "commit flushed; leases, attempts and moves kept; a dead worker's jobs are taken back",
    "procrastinate": "commit flushed; jobs and events kept; a dead worker's jobs are retried by a task of the user's",
    "pgqueuer": "commit flushed; ends logged in batches; a dead worker's jobs are taken again after its heartbeat",
    "django_tasks_db": "commit flushed; results kept; a dead worker's job stays running",
    "huey": "Redis, append-only file flushed each second; a job in hand is lost with its worker",
    "dramatiq": "Redis, append-only file flushed each second; acknowledged after the run; nothing kept of it",
    "rq": "Redis, append-only file flushed each second; nothing kept here (result_ttl=0)",
    "celery": "Redis, append-only file flushed each second; acknowledged before the run, so lost with its worker",
}


def compare(names: Sequence[str], server: Server, redis_url: str | None) -> dict[str, Figures]:
    """The medians of each peer over TIMES rounds; a peer that fails is named with its fault and left out."""
    runners, failed = ready(names, server, redis_url)
    rounds: dict[str, list[Figures]] = {name: [] for name in runners}
    best: dict[str, tuple[str, int]] = {}
    for number in range(sizes.TIMES):
        for name, runner in runners.items():
            if name in failed:
                continue
            try:
                best[name] = best.get(name) or tune(runner)
                rounds[name].append(figures(runner, *best[name]))
                print(f"round {number + 1}: {name}: {json.dumps(rounds[name][-1])}", flush=True)
            except FAULTS as fault:
                failed[name] = str(fault)[-600:]
                print(f"round {number + 1}: {name} FAILED: {fault}", flush=True)
    return {
        name: {"failed": failed[name]}
        if name in failed
        else {
            **median(rounds[name]),
            "best": best[name][0],
            "tuning": runners[name].about["tuning"],
            "options": runners[name].about["options"],
            "durability": DURABILITY[name],
        }
        for name in [*runners, *(name for name in failed if name not in runners)]
    }


def ready(names: Sequence[str], server: Server, redis_url: str | None) -> tuple[dict[str, Runner], dict[str, str]]:
    runners, failed = {}, {}
    for name in names:
        if name in REDIS and redis_url is None:
            print(f"{name}: SKIPPED, no redis-server (apt-get install redis-server)")
            continue
        runner = Runner(name, server, redis_url)
        try:
            runner.prepare()
        except FAULTS as fault:
            failed[name] = str(fault)[-600:]
        runners[name] = runner
    return runners, failed


def tune(runner: Runner) -> tuple[str, int]:
    """The option it drains fastest with, and how many jobs a drain needs to last."""
    jobs = sizes.JOBS or PROBE_JOBS
    options = [sizes.OPTION] if sizes.OPTION else runner.about["options"]
    if sizes.JOBS and len(options) == 1:
        return options[0], jobs
    rate = runner.drain(jobs, 1, options[0]).drained
    rates = {}
    for option in options:
        runner.fresh()
        rates[option] = runner.drain(sizes.JOBS or lasting(rate, PROBE_SECONDS), 1, option).drained
        rate = max(rates.values())
    print(f"{runner.name}: {json.dumps(rates)}", flush=True)
    best = max(rates, key=lambda option: rates[option])
    return best, sizes.JOBS or lasting(rates[best], sizes.DRAIN_SECONDS)


def lasting(rate: float, seconds: float) -> int:
    return max(PROBE_JOBS, round(rate * seconds / 100) * 100)


def figures(runner: Runner, option: str, jobs: int) -> Figures:
    """One round of one peer."""
    runner.fresh()
    single = runner.measure("single", sizes.SINGLE_JOBS)
    runner.fresh()
    one = runner.drain(jobs, 1, option)
    runner.fresh()
    two = runner.drain(jobs * 2, 2, option)
    runner.fresh()
    found = {
        "enqueue_single": single,
        "enqueue_bulk": one.enqueued,
        "drain_1": one.drained,
        "drain_2": two.drained,
        **latencies(runner, option),
    }
    if runner.on_postgresql:
        runner.fresh()
        runner.fill(sizes.OTHER_ROWS)
        found["drain_crowded"] = runner.drain(jobs, 1, option).drained
    return found


def latencies(runner: Runner, option: str) -> Figures:
    """Of a worker that has nothing else to do, then of one with a steady stream; and the first one's memory."""
    cluster.execute("CHECKPOINT")
    counter.forget(runner.folder)
    with runner.workers(1, option) as (pid,):
        idle = runner.measure("idle", sizes.IDLE_JOBS)
        memory = workers.megabytes(pid)
        paced = runner.measure("paced", sizes.PACED_RATE, max(1, round(sizes.PACED_SECONDS)))
    begun = [each for each in paced if each[2]]
    seconds = (paced[-1][0] - paced[0][0]) / 1e9 or 1.0
    return {
        "idle_ms": waits(idle, since=1),
        "idle_from_call_ms": waits(idle, since=0),
        "paced_ms": waits(begun, since=1),
        "paced_from_call_ms": waits(begun, since=0),
        "paced_sent_per_second": (len(paced) - 1) / seconds,
        "paced_not_run": len(paced) - len(begun),
        "worker_megabytes": memory,
    }


def waits(timed: Sequence[tuple[int, int, int]], *, since: int) -> Figures:
    """Milliseconds to the start of the handler, since the call of enqueue (0) or its return (1).

    The commit lies between the two; a handler may begin before its enqueuer hears of the commit: then 0.
    """
    return percentiles([max(0, each[2] - each[since]) / 1e6 for each in timed])


def median(rounds: Sequence[Figures]) -> Figures:
    """Figure by figure; each at three digits or more, and no false ones."""
    return {name: middle([each[name] for each in rounds]) for name in rounds[0]}


def middle(values: Sequence[Any]) -> Any:
    if isinstance(values[0], dict):
        return median(values)
    return round(statistics.median(values), 1 if values[0] > 100 else 3)
