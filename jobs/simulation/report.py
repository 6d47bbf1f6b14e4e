"""What a simulation says: waits, slowdown, fairness, and how much of what an oracle would gain is gained."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from jobs.simulation.accuracy import Accuracy, open_loop
from jobs.simulation.engine import Discipline, Ranked, serve
from jobs.simulation.predicted import Predicting, Shared
from jobs.simulation.trace import Trace
from predictor.history import Floats

POLICIES = ("learned", "fifo", "priority", "sjf", "oracle")
TENANTS = ("orgs", "one")
# A run shorter than this counts as so long, or waits of a moment would be huge slowdowns (Feitelson et al. 1997).
SLOWDOWN_FLOOR_SECONDS = 10.0
# Chosen for a trace that is to be played at a load, within these: a queue of one or two is no queue of a deployment,
# and one of thousands is seldom behind.
FEWEST_WORKERS, MOST_WORKERS = 4, 64
USUAL_LOAD = 0.9


@dataclass(frozen=True, slots=True)
class Order:
    """Of all jobs of a trace in one order; seconds. `jain` is over the tenants' mean slowdown (Jain et al. 1984)."""

    mean_wait_s: float
    mean_slowdown: float
    p99_wait_s: float
    max_wait_s: float
    jain: float


@dataclass(frozen=True, slots=True)
class Report:
    """A policy beside first come, first served and an oracle's shortest job first, on the same arrivals."""

    policy: str
    workers: int
    load: float
    accuracy: Accuracy
    order: Order
    fifo: Order
    oracle: Order
    tenants: dict[str, tuple[int, float, float]]  # jobs, mean wait, mean slowdown
    jobs: int

    def figures(self) -> dict[str, float | int | None]:
        """The one object of --json."""
        accuracy = asdict(self.accuracy)
        cost = accuracy.pop("us_per_prediction")
        return {
            **accuracy,
            **asdict(self.order),
            "gap_wait": gap(self.order.mean_wait_s, self.fifo.mean_wait_s, self.oracle.mean_wait_s),
            "gap_slowdown": gap(self.order.mean_slowdown, self.fifo.mean_slowdown, self.oracle.mean_slowdown),
            "us_per_prediction": cost,
            "jobs": self.jobs,
        }


def simulate(trace: Trace, *, workers: int, policy: str, tenants: str = "one", seed: int = 0) -> Report:
    """A trace of two jobs or more through one queue. `tenants`: whether each is an organisation, or all are of one."""
    starts = {name: starts_of(trace, workers, name, tenants, seed) for name in ("first", "oracle", policy)}
    waits = {name: waits_of(trace, found) for name, found in starts.items()}
    return Report(
        policy=policy,
        workers=workers,
        load=trace.load(workers),
        accuracy=open_loop(trace, seed),
        order=measured(trace, waits[policy]),
        fifo=measured(trace, waits["first"]),
        oracle=measured(trace, waits["oracle"]),
        tenants=by_tenant(trace, waits[policy]),
        jobs=len(trace.rows),
    )


def starts_of(trace: Trace, workers: int, policy: str, tenants: str, seed: int) -> list[float]:
    """When each job starts; `first` is plain first come, first served, whose jobs ever."""
    arrivals, runtimes = [row.submit_s for row in trace.rows], [row.runtime_s for row in trace.rows]
    orgs = [row.tenant if tenants == "orgs" else "" for row in trace.rows]
    discipline: Discipline
    match policy:
        case "first":
            discipline = Ranked(arrivals)
        case "oracle":
            discipline = Ranked(runtimes)
        case "sjf":
            discipline = Predicting(trace, seed)
        case _:
            discipline = Shared(Predicting(trace, seed), orgs, runtimes, workers, policy)
    return serve(arrivals, runtimes, workers, discipline)


def usual_workers(trace: Trace) -> int:
    """As many as the usual load needs, within bounds."""
    needed = round(trace.load(1) / USUAL_LOAD) if trace.span_seconds else FEWEST_WORKERS
    return min(max(needed, FEWEST_WORKERS), MOST_WORKERS)


def waits_of(trace: Trace, starts: Sequence[float]) -> Floats:
    """(N,) seconds."""
    waits: Floats = np.array(starts) - np.array([row.submit_s for row in trace.rows])
    return waits


def slowdowns(waits: Floats, runtimes: Sequence[float]) -> Floats:
    """Bounded slowdown (N,): wait and run over the run."""
    ran = np.array(runtimes)
    slow: Floats = np.maximum(1.0, (waits + ran) / np.maximum(ran, SLOWDOWN_FLOOR_SECONDS))
    return slow


def measured(trace: Trace, waits: Floats) -> Order:
    slow = slowdowns(waits, [row.runtime_s for row in trace.rows])
    each = np.array([slowdown for _, _, slowdown in by_tenant(trace, waits).values()])
    return Order(
        mean_wait_s=float(waits.mean()),
        mean_slowdown=float(slow.mean()),
        p99_wait_s=float(np.quantile(waits, 0.99)),
        max_wait_s=float(waits.max()),
        jain=float(each.sum() ** 2 / (len(each) * (each**2).sum())),
    )


def by_tenant(trace: Trace, waits: Floats) -> dict[str, tuple[int, float, float]]:
    """Jobs, mean wait in seconds and mean slowdown of each."""
    names, which = np.unique([row.tenant for row in trace.rows], return_inverse=True)
    slow = slowdowns(waits, [row.runtime_s for row in trace.rows])
    jobs = np.bincount(which)
    mean_wait, mean_slow = np.bincount(which, waits) / jobs, np.bincount(which, slow) / jobs
    each = zip(names.tolist(), jobs.tolist(), mean_wait.tolist(), mean_slow.tolist(), strict=True)
    return {name: (count, wait, slowdown) for name, count, wait, slowdown in each}


def gap(value: float, fifo: float, oracle: float) -> float | None:
    """Of the way from first come, first served to the oracle; None where there is none to go."""
    return (fifo - value) / (fifo - oracle) if fifo > oracle else None
