"""Leads at simulated time: what the leader keeps for each organisation in a queue, and the ranks that follow from it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush

from jobs import ranking
from jobs.ranking import Tuning

# What is usual in a queue is a mean over about so many submits.
USUAL_SUBMITS = 500
# Before there are many, it counts as so many with a spread of one.
DOUBT_SUBMITS = 10
# Actual over predicted cost is a mean over about so many ended runs, and within these.
CALIBRATION_RUNS = 100
CALIBRATION_LIMITS = (1 / 4, 16.0)


@dataclass(slots=True)
class Share:
    """An organisation in the queue."""

    weight: float
    waiting_s: float = 0.0  # predicted, of all that waits
    running: dict[int, float] = field(default_factory=dict)  # when each job that runs is predicted to end
    waiting: dict[int, float] = field(default_factory=dict)  # the rank of each job that waits
    ranks: list[tuple[float, int]] = field(default_factory=list)  # a heap of these, and of jobs long gone
    actual_s: float = 0.0
    predicted_s: float = 0.0

    def lowest(self) -> float:
        """Of the ranks that wait."""
        while self.ranks and self.ranks[0][1] not in self.waiting:
            heappop(self.ranks)
        return self.ranks[0][0] if self.ranks else math.inf

    def calibration(self) -> float:
        """What a predicted second has turned out to cost."""
        low, high = CALIBRATION_LIMITS
        return min(max(self.actual_s / self.predicted_s, low), high) if self.predicted_s else 1.0

    def outstanding(self, now: float) -> float:
        """Predicted seconds of work that it has waiting or running."""
        remaining = sum(end - now for end in self.running.values() if end > now)
        return (max(self.waiting_s, 0.0) + remaining) * self.calibration()


class Usual:
    """What is predicted in the queue: geometric mean and spread, moving slowly."""

    def __init__(self) -> None:
        self.submits = 0
        self.mean = 0.0
        self.square = 1.0

    def add(self, predicted_ms: float) -> None:
        x = math.log(max(predicted_ms, ranking.SHORTEST_MS))
        self.submits += 1
        self.mean = x if self.submits == 1 else self.mean + (x - self.mean) / min(self.submits, USUAL_SUBMITS)
        step = 1.0 / min(self.submits + DOUBT_SUBMITS, USUAL_SUBMITS)
        self.square += step * ((x - self.mean) ** 2 - self.square)

    @property
    def typical_ms(self) -> float:
        return math.exp(self.mean)

    @property
    def spread(self) -> float:
        return math.sqrt(self.square)


class Shares:
    """The shares of all organisations in a queue, and the rank of each job that is put into it."""

    def __init__(self, workers: int, policy: str, weights: Mapping[str, float] | None = None) -> None:
        self.workers = workers
        self.policy = policy
        self.weights = weights or {}
        self.of: dict[str, Share] = {}
        self.busy: dict[str, Share] = {}  # those with jobs that wait
        self.usual = Usual()

    def queued(self, job: int, org: str, predicted_s: float, now: float, urgency: str = "medium") -> float:
        """Its rank."""
        share = self.of.setdefault(org, Share(self.weights.get(org, 1.0)))
        rate = self.rate(org, share)
        self.usual.add(predicted_s * 1000.0)
        tuning = Tuning(share.outstanding(now) / rate, self.usual.typical_ms, rate, self.usual.spread)
        offset = ranking.rank_offset(self.policy, predicted_s * 1000.0, urgency, tuning)
        rank = ranking.base(now, self.lowest_of_others(org)) + offset
        share.waiting_s += predicted_s
        share.waiting[job] = rank
        heappush(share.ranks, (rank, job))
        self.busy[org] = share
        return rank

    def started(self, job: int, org: str, predicted_s: float, now: float) -> None:
        share = self.of[org]
        del share.waiting[job]
        share.waiting_s -= predicted_s
        share.running[job] = now + predicted_s
        if not share.waiting:
            share.waiting_s = 0.0
            del self.busy[org]

    def ended(self, job: int, org: str, predicted_s: float, actual_s: float) -> None:
        share = self.of[org]
        del share.running[job]
        share.actual_s += actual_s - share.actual_s / CALIBRATION_RUNS
        share.predicted_s += predicted_s - share.predicted_s / CALIBRATION_RUNS

    def rate(self, org: str, share: Share) -> float:
        """Seconds of work a second: its part of the workers, by weight, among those that have jobs waiting."""
        others = sum(busy.weight for name, busy in self.busy.items() if name != org)
        return self.workers * share.weight / (share.weight + others)

    def lowest_of_others(self, org: str) -> float | None:
        lowest = min((share.lowest() for name, share in self.busy.items() if name != org), default=math.inf)
        return None if math.isinf(lowest) else lowest
