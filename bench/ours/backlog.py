"""A full store must not be slower to work on than an empty one."""

from typing import Any

from bench import sizes
from bench.ours.stage import Stage, middle
from bench.ours.stock import stock

ABOUT = "one worker drains a queue of an almost empty store, then of a full one"
SIZES = ("TIMES", "SLOTS", "STEADY_SECONDS", "BACKLOG_WAITING", "BACKLOG_FINISHED")


def measure(stage: Stage) -> dict[str, Any]:
    jobs = round(stage.probe() * (sizes.STEADY_SECONDS * 1.5 + 3)) + 1_000

    def of_empty() -> float:
        stage.fresh()
        stock(stage, jobs)
        return stage.steady_rate()

    empty = middle(of_empty)
    stage.fresh()
    # on top of what is drained: at the end there are still as many
    stock(stage, sizes.BACKLOG_WAITING + jobs * sizes.TIMES, sizes.BACKLOG_FINISHED)
    full = middle(stage.steady_rate)
    return {
        "empty_jobs_per_second": empty,
        "full_jobs_per_second": full,
        "full_to_empty": full / empty,
        "waiting_at_the_end": stage.number("SELECT count(*) FROM jobs_ready"),
    }
