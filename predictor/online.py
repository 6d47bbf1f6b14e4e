"""A whole predictor in memory, for simulations: it remembers, is trained by the leader's rules, and predicts."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from predictor.examples import Example, Memories
from predictor.features import Submission
from predictor.rules import better, due
from predictor.runtime import Prediction, RuntimeModel, untrained
from predictor.train import train

MAX_EXAMPLES = 100_000  # the newest are kept to learn from


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that has ended."""

    submission: Submission
    ended: float  # seconds since the epoch
    runtime_ms: float
    failed: bool = False


class Learner:
    """Predicts each job of one organisation from the runs that it was told of before. Deterministic by seed."""

    def __init__(self, seed: int = 0, *, max_examples: int = MAX_EXAMPLES, learns: bool = True) -> None:
        self.seed = seed
        self.learns = learns
        self.memories = Memories()
        self.model: RuntimeModel = untrained(seed)
        self.promoted = 0  # times a new model took over
        self.trained = 0  # trainings
        self.examples: deque[Example] = deque(maxlen=max_examples)
        self._runs = 0
        self._runs_at_last = 0

    def submission(
        self, *, type: str, name: str, user: str, payload_bytes: int, at: float, requested_ms: float | None = None
    ) -> Submission:
        """A job with what is remembered of its kin now."""
        known = self.memories.of(user, type, name)
        return Submission(type, name, user, payload_bytes, at, known, requested_ms)

    def predict(self, submissions: Sequence[Submission]) -> list[Prediction]:
        """By the model in use."""
        return self.model.predict(submissions)

    def ended(self, run: Ended) -> bool:
        """Remember a run; train where that is due. Return whether a new model took over."""
        self.remember(run)
        return self.learn() if self.due() else False

    def remember(self, run: Ended) -> None:
        """Remember a run, as the statement that ends attempts does."""
        job = run.submission
        self.memories.add(job.user, job.type, job.name, runtime_ms=run.runtime_ms, ended=run.ended, failed=run.failed)
        self.examples.append(Example(job, run.runtime_ms, run.ended, run.failed))
        self._runs += 1

    def due(self) -> bool:
        """Whether a training is due."""
        return self.learns and due(self._runs, self._runs_at_last)

    def learn(self) -> bool:
        """Train, and use the new model if it is better. Return whether it is."""
        self._runs_at_last = self._runs
        start = self.model if self.promoted else None
        trained = train(self.examples, seed=self.seed + self.trained, start=start)
        self.trained += 1
        if not better(trained.metrics):
            return False
        self.model = trained.model
        self.promoted += 1
        return True
