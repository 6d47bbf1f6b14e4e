"""Orders that rest on predictions, in closed loop: the order decides what has ended, and so what is learned by when."""

from collections.abc import Mapping, Sequence

from jobs.simulation.accuracy import submitted
from jobs.simulation.shares import Shares
from jobs.simulation.trace import Trace
from predictor.features import Submission
from predictor.online import Ended, Learner


class Predicting:
    """Predicts each job of a trace as it comes in, and learns from it when it ends. The shortest is first."""

    def __init__(self, trace: Trace, seed: int = 0, *, learns: bool = True) -> None:
        self.trace = trace
        self.learner = Learner(seed, learns=learns)
        self.predicted_s: list[float] = []
        self._submissions: dict[int, Submission] = {}

    def queued(self, job: int, now: float) -> float:
        """What it is predicted to run, in seconds."""
        submission = submitted(self.learner, self.trace.rows[job], self.trace.starts_at + now)
        self._submissions[job] = submission
        self.predicted_s.append(self.learner.predict([submission])[0].ms / 1000.0)
        return self.predicted_s[job]

    def started(self, job: int, now: float) -> None:
        """Nothing depends on it."""

    def ended(self, job: int, now: float) -> None:
        """It is learned from."""
        ran_ms = self.trace.rows[job].runtime_s * 1000.0
        ended = Ended(self._submissions.pop(job), ended=self.trace.starts_at + now, runtime_ms=ran_ms)
        self.learner.ended(ended)


class Known:
    """Predictions that were made elsewhere."""

    def __init__(self, predicted_s: Sequence[float]) -> None:
        self.predicted_s = predicted_s

    def queued(self, job: int, now: float) -> float:
        """What it is predicted to run, in seconds."""
        return self.predicted_s[job]

    def started(self, job: int, now: float) -> None:
        """Nothing depends on it."""

    def ended(self, job: int, now: float) -> None:
        """Nothing depends on it."""


class Shared:
    """The order of a queue of SmartQueue: by policy, with shares of the organisations."""

    def __init__(
        self,
        predicting: Predicting | Known,
        orgs: Sequence[str],
        runtimes: Sequence[float],
        workers: int,
        policy: str,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.predicting = predicting
        self.orgs = orgs
        self.runtimes = runtimes
        self.shares = Shares(workers, policy, weights)

    def queued(self, job: int, now: float) -> float:
        """Its rank."""
        predicted_s = self.predicting.queued(job, now)
        return self.shares.queued(job, self.orgs[job], predicted_s, now)

    def started(self, job: int, now: float) -> None:
        """It is no longer in front of others."""
        self.shares.started(job, self.orgs[job], self.predicting.predicted_s[job], now)

    def ended(self, job: int, now: float) -> None:
        """Its organisation's lead is corrected by what it really took."""
        self.shares.ended(job, self.orgs[job], self.predicting.predicted_s[job], self.runtimes[job])
        self.predicting.ended(job, now)
