"""Leads at simulated time: what the leader keeps of each organisation in a queue, and the ranks that follow."""

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
    waiting: set[int] = field(default_factory=set)
    ranks: list[tuple[float, int]] = field(default_factory=list)  # a heap of the waiting's, and of jobs long gone
    running: dict[int, float] = field(default_factory=dict)  # when each job that runs is predicted to end
    newest_rank: float = -math.inf
    actual_s: float = 0.0
    predicted_s: float = 0.0
    usual: "Usual" = field(default_factory=lambda: Usual())

    def lowest(self) -> float:
        """Of the ranks that wait; infinite when none does."""
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
    """What is predicted, in ln ms: mean and variance, moving slowly."""

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

    def tuning(self, whole: "Usual", lead_seconds: float, rate: float) -> Tuning:
        """Of an organisation in the whole queue."""
        mean = ranking.shrunk(self.mean, whole.mean, self.submits)
        square = ranking.shrunk(self.square, whole.square, self.submits)
        return Tuning(lead_seconds, math.exp(mean), rate, math.sqrt(square))


class Shares:
    """The shares of all organisations in a queue, and the rank of each job that is put into it."""

    def __init__(self, workers: int, policy: str, weights: Mapping[str, float] | None = None) -> None:
        self.workers = workers
        self.policy = policy
        self.weights = weights or {}
        self.of: dict[str, Share] = {}
        self.present: dict[str, Share] = {}  # those with jobs that wait or run
        self.usual = Usual()

    def queued(self, job: int, org: str, predicted_s: float, now: float, urgency: str = "medium") -> float:
        """Its rank."""
        share = self.of.setdefault(org, Share(self.weights.get(org, 1.0)))
        self.present[org] = share
        for usual in (share.usual, self.usual):
            usual.add(predicted_s * 1000.0)
        rate = self.workers * share.weight / sum(each.weight for each in self.present.values())
        lead, base = share.outstanding(now) / rate, ranking.base(now, self.lowest_of_others(org))
        if self.policy == "fifo" and share.waiting:
            lead = max(lead, share.newest_rank - base)
        tuning = share.usual.tuning(self.usual, lead, rate)
        rank = base + ranking.rank_offset(self.policy, predicted_s * 1000.0, urgency, tuning)
        share.newest_rank = rank
        share.waiting_s += predicted_s
        share.waiting.add(job)
        heappush(share.ranks, (rank, job))
        return rank

    def started(self, job: int, org: str, predicted_s: float, now: float) -> None:
        """A worker took it."""
        share = self.of[org]
        share.waiting.remove(job)
        share.waiting_s = share.waiting_s - predicted_s if share.waiting else 0.0
        share.running[job] = now + predicted_s

    def ended(self, job: int, org: str, predicted_s: float, actual_s: float) -> None:
        """Its run is over."""
        share = self.of[org]
        del share.running[job]
        share.actual_s += actual_s - share.actual_s / CALIBRATION_RUNS
        share.predicted_s += predicted_s - share.predicted_s / CALIBRATION_RUNS
        if not share.waiting and not share.running:
            del self.present[org]

    def lowest_of_others(self, org: str) -> float | None:
        """The lowest rank that another organisation has waiting."""
        others = (share.lowest() for name, share in self.present.items() if name != org)
        lowest = min(others, default=math.inf)
        return None if math.isinf(lowest) else lowest
