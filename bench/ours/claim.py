"""A claim must cost the same however much waits and however much is done."""

from typing import Any

from bench import sizes
from bench.ours.stage import ENDLESS, Stage
from bench.ours.statements import claims, logged
from bench.ours.stock import stock
from bench.peers import counter
from bench.percentiles import percentiles

ABOUT = "what the server takes for a claim, by the rows in the store: half of them wait in the queue claimed from"
SIZES = ("SLOTS", "STEADY_SECONDS", "CLAIM_ROWS")


def measure(stage: Stage) -> dict[str, Any]:
    ahead = round(stage.probe() * sizes.STEADY_SECONDS * 1.5) + 1_000
    stage.fresh()
    found, there = {}, 0
    for rows in sizes.CLAIM_ROWS:
        more = max(0, rows - there)
        stock(stage, ahead + more // 2, more - more // 2)
        there = rows
        found[f"{rows:,}_rows"] = claims_now(stage)
    costs = [each["p50_ms"] for each in found.values()]
    return {**found, "last_to_first": costs[-1] / costs[0]}


def claims_now(stage: Stage) -> dict[str, float]:
    counter.forget(stage.folder)
    with logged(stage) as durations, stage.worker():
        stage.all_running(1, ENDLESS)
        stage.rate_over(sizes.STEADY_SECONDS)
    # the first ones plan their statements and fill the caches
    taken = claims(durations)[3:]
    if len(taken) < 3:
        raise AssertionError(f"only {len(taken)} claims were seen in the server's log")
    runs = counter.read(stage.folder).runs
    return {
        **{f"{name}_ms": value for name, value in percentiles(taken).items()},
        "us_per_job": sum(taken) / runs * 1_000,
        "claims": len(taken),
    }
