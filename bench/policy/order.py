"""What a prediction is worth for the order of a queue: python -m bench.policy.order [TRACE ...].

Every order over every trace, at an offered load of 0.9, closed loop, beside first come, first served and an oracle that
knows every runtime; and one organisation that floods a queue of ten. Writes bench/results/policy-order.json.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import django

from bench import results
from bench.policy import floods, traces
from jobs.simulation.engine import Discipline, Ranked, serve
from jobs.simulation.predicted import Known, Predicting, Shared
from jobs.simulation.report import USUAL_LOAD, Order, gap, measured, usual_workers, waits_of
from jobs.simulation.trace import Trace, read

NAME = "policy-order"
# Of the alternatives that were not chosen: seconds of rank for a second of waiting, and tau over the mean wait.
LINEAR_AGEING, LOGARITHMIC_TAU = 0.01, 3.0
SEEDS = (0, 1, 2)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
    # nothing is served and no database asked: no secrets are needed
    os.environ.setdefault("SMARTQUEUE_DEBUG", "1")
    django.setup()
    report: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "floods": {shape: flood(each) for shape, each in floods.SHAPES.items()},
        "traces": {},
    }
    for path in traces.paths():
        report["traces"][traces.name_of(path)] = of_trace(path)
        results.write(NAME, report)
    print(json.dumps(report, indent=2))


def flood(shape: floods.Flood) -> dict[str, float]:
    """The light organisations' mean slowdown over that alone: the worst of all seeds and their mean."""
    found = {
        policy: [ratio for seed in SEEDS for ratio in floods.ratios(shape, seed, policy).values()]
        for policy in ("learned", floods.FIRST)
    }
    return {
        "worst": round(max(found["learned"]), 3),
        "mean": round(sum(found["learned"]) / len(found["learned"]), 3),
        "worst_first_come": round(max(found[floods.FIRST]), 1),
    }


def of_trace(path: Path) -> dict[str, Any]:
    trace = read(path)
    workers = usual_workers(trace)
    trace = trace.at_load(USUAL_LOAD, workers)
    bench = Bench(trace, workers)
    return {"jobs": len(trace.rows), "workers": workers, "orders": bench.orders()}


class Bench:
    """All orders of one trace."""

    def __init__(self, trace: Trace, workers: int) -> None:
        self.trace, self.workers = trace, workers
        self.arrivals = [row.submit_s for row in trace.rows]
        self.runtimes = [row.runtime_s for row in trace.rows]
        self.fifo = self.order(Ranked(self.arrivals))
        self.oracle = self.order(Ranked(self.runtimes))

    def orders(self) -> dict[str, dict[str, float]]:
        """Figures by order. `ewma` are predictions without a model, from the mean of a job's own runs backed off.

        `sjf`, `learned` and what is by ewma learn from the runs that have ended in that very order; the others, for
        the time that trainings take, are given the predictions that were made under `learned`.
        """
        ours = Predicting(self.trace)
        found = {
            "fifo": self.figures(self.fifo),
            "oracle sjf": self.figures(self.oracle),
            "learned": self.timed(lambda: self.shared(ours, "learned", orgs=False)),
            "sjf": self.timed(lambda: Predicting(self.trace)),
            "sjf by ewma": self.timed(self.ewma),
            "ewma, linear ageing": self.timed(lambda: Aged(self.ewma(), linear)),
            "ewma, logarithmic ageing": self.timed(lambda: Aged(self.ewma(), self.logarithmic)),
            "learned by ewma": self.timed(lambda: self.shared(self.ewma(), "learned", orgs=False)),
        }
        known = Known(ours.predicted_s)
        for policy in ("learned", "priority", "fifo"):
            found[f"{policy}, tenants as orgs"] = self.timed(partial(self.shared, known, policy, orgs=True))
        return found | {"priority": self.timed(lambda: self.shared(known, "priority", orgs=False))}

    def ewma(self) -> Predicting:
        return Predicting(self.trace, learns=False)

    def shared(self, predicting: Predicting | Known, policy: str, *, orgs: bool) -> Shared:
        names = [row.tenant if orgs else "" for row in self.trace.rows]
        return Shared(predicting, names, self.runtimes, self.workers, policy)

    def logarithmic(self, predicted_s: float, now: float) -> float:
        """A constant tau, known from the whole trace: as good as that order can be."""
        return now + LOGARITHMIC_TAU * self.fifo.mean_wait_s * math.log(predicted_s)

    def timed(self, make: Callable[[], Discipline]) -> dict[str, float]:
        began = time.perf_counter()
        order = self.order(make())
        return {**self.figures(order), "seconds": round(time.perf_counter() - began, 1)}

    def order(self, discipline: Discipline) -> Order:
        starts = serve(self.arrivals, self.runtimes, self.workers, discipline)
        return measured(self.trace, waits_of(self.trace, starts))

    def figures(self, order: Order) -> dict[str, float]:
        gaps = {
            "gap_wait": gap(order.mean_wait_s, self.fifo.mean_wait_s, self.oracle.mean_wait_s),
            "gap_slowdown": gap(order.mean_slowdown, self.fifo.mean_slowdown, self.oracle.mean_slowdown),
            "max_over_fifo": order.max_wait_s / self.fifo.max_wait_s,
        }
        return {name: round(value, 4) for name, value in {**asdict(order), **gaps}.items() if value is not None}


class Aged:
    """Ranks that grow with the prediction and with the time of arrival."""

    def __init__(self, predicting: Predicting, rank: Callable[[float, float], float]) -> None:
        self.predicting, self.rank = predicting, rank

    def queued(self, job: int, now: float) -> float:
        return self.rank(self.predicting.queued(job, now), now)

    def started(self, job: int, now: float) -> None:
        """Nothing depends on it."""

    def ended(self, job: int, now: float) -> None:
        self.predicting.ended(job, now)


def linear(predicted_s: float, now: float) -> float:
    return LINEAR_AGEING * now + predicted_s


if __name__ == "__main__":
    main()
