"""One organisation that floods a queue and nine that do not: by how much the nine wait longer than alone in their share."""

import random
from dataclasses import dataclass

import numpy as np

from jobs.simulation.engine import serve
from jobs.simulation.predicted import Known, Shared
from jobs.simulation.report import slowdowns

WORKERS, LIGHT = 10, 9
HOURS = 4
SECONDS = HOURS * 3600.0
# The part of its share of the workers that a light organisation needs, and the mean run of its jobs.
LIGHT_LOAD, LIGHT_RUN_SECONDS = 0.5, 60.0
# Standard deviation of ln(predicted / actual): about a factor of two.
ERROR = 0.7
FLOOD = "flood"


@dataclass(frozen=True, slots=True)
class Flood:
    """Jobs come `rate` times as fast as all workers could do them, between two moments; weight among the ten."""

    run_seconds: float = 60.0
    rate: float = 3.0
    begins: float = 0.0
    ends: float = SECONDS
    weight: float = 1.0
    # What it is predicted to run over what it runs.
    predicted: float = 1.0


SHAPES = {
    "sustained": Flood(),
    "one burst": Flood(rate=200.0, begins=900.0, ends=960.0),
    "short jobs": Flood(run_seconds=2.0),
    "long jobs": Flood(run_seconds=300.0),
    "little above": Flood(rate=0.6),
    "of weight 3": Flood(weight=3.0),
    "runs ten times longer than predicted": Flood(predicted=0.1),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """Seconds."""

    at: float
    org: str
    run: float
    predicted: float


def arrivals(flood: Flood, seed: int) -> list[Arrival]:
    """Of all ten, in order of time."""
    chance = random.Random(seed)
    total = LIGHT + flood.weight
    found = poisson(chance, FLOOD, flood.rate * WORKERS / flood.run_seconds, flood.run_seconds, flood)
    for number in range(LIGHT):
        rate = LIGHT_LOAD * WORKERS / total / LIGHT_RUN_SECONDS
        found += poisson(chance, f"light-{number}", rate, LIGHT_RUN_SECONDS, Flood())
    return sorted(found, key=lambda one: one.at)


def poisson(chance: random.Random, org: str, rate: float, run_seconds: float, flood: Flood) -> list[Arrival]:
    """Exponential gaps and runs."""
    found, at = [], flood.begins + chance.expovariate(rate)
    while at < flood.ends:
        run = chance.expovariate(1.0 / run_seconds)
        found.append(Arrival(at, org, run, run * flood.predicted * chance.lognormvariate(0.0, ERROR)))
        at += chance.expovariate(rate)
    return found


def ratios(flood: Flood, seed: int = 0, policy: str = "learned") -> dict[str, float]:
    """Of each light organisation: its mean slowdown beside the flood over that alone with its share of the workers."""
    jobs = arrivals(flood, seed)
    weights = {FLOOD: flood.weight}
    beside = mean_slowdowns(jobs, WORKERS, policy, weights)
    share = WORKERS / (LIGHT + flood.weight)
    names = sorted({one.org for one in jobs} - {FLOOD})
    return {name: beside[name] / alone([one for one in jobs if one.org == name], share, policy) for name in names}


def alone(jobs: list[Arrival], share: float, policy: str) -> float:
    """Mean slowdown on as many workers as the share has; a part of one is a worker that is slower by as much.

    Of a share of two workers and a half there are two that are a quarter faster.
    """
    workers = max(int(share), 1)
    speed = share / workers
    slow = [Arrival(one.at, one.org, one.run / speed, one.predicted / speed) for one in jobs]
    starts = starts_of(slow, workers, policy, {})
    ended = np.array(starts) + [one.run for one in slow]
    # what it waits for is over, beside a run on a worker as fast as those of the queue
    waits = np.maximum(ended - [one.at for one in jobs] - [one.run for one in jobs], 0.0)
    return float(slowdowns(waits, [one.run for one in jobs]).mean())


def mean_slowdowns(jobs: list[Arrival], workers: int, policy: str, weights: dict[str, float]) -> dict[str, float]:
    waits = np.array(starts_of(jobs, workers, policy, weights)) - [one.at for one in jobs]
    slow = slowdowns(waits, [one.run for one in jobs])
    orgs = np.array([one.org for one in jobs])
    return {str(name): float(slow[orgs == name].mean()) for name in np.unique(orgs)}


def starts_of(jobs: list[Arrival], workers: int, policy: str, weights: dict[str, float]) -> list[float]:
    runs, at = [one.run for one in jobs], [one.at for one in jobs]
    if policy == "first":
        from jobs.simulation.engine import Ranked

        return serve(at, runs, workers, Ranked(at))
    known = Known([one.predicted for one in jobs])
    return serve(at, runs, workers, Shared(known, [one.org for one in jobs], runs, workers, policy, weights))
