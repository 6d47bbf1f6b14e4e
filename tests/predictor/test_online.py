from itertools import pairwise

import numpy as np
import pytest

from predictor.memory import typical_ms
from predictor.online import Ended, Learner
from predictor.train import examples_from_log
from tests.predictor.factories import make_log


def replay(learner: Learner, count: int) -> list[float]:
    """Predictions of a log whose jobs run one after another."""
    said = []
    for row in make_log(count):
        job = learner.submission(
            type=row.type, name=row.name, user=row.user, payload_bytes=row.payload_bytes, at=float(row.submitted_at)
        )
        said.append(learner.predict([job])[0].ms)
        learner.ended(Ended(job, float(row.submitted_at) + 1.0, row.runtime_ms, row.failed))
    return said


def test_it_is_trained_when_due_and_then_says_something_else() -> None:
    learner = Learner()

    said = replay(learner, 420)

    assert learner.trained == 2
    assert 1 <= learner.promoted <= 2
    assert said[-1] != pytest.approx(typical_ms(learner.memories.of("user 0", "http", "job 0")))


def test_the_same_seed_gives_the_same_predictions() -> None:
    assert replay(Learner(3), 230) == replay(Learner(3), 230)


def test_it_remembers_what_examples_of_a_log_remember() -> None:
    learner = Learner(learns=False)
    rows = [row._replace(ended_at=float(row.submitted_at) + 1.0) for row in make_log(150)]
    rows = [row for row, after in pairwise(rows) if float(after.submitted_at) > row.ended_at]

    for example, row in zip(examples_from_log(rows), rows, strict=True):
        job = learner.submission(
            type=row.type, name=row.name, user=row.user, payload_bytes=row.payload_bytes, at=float(row.submitted_at)
        )
        assert job == example.submission
        learner.ended(Ended(job, float(row.ended_at), row.runtime_ms, row.failed))


def test_a_learner_that_does_not_learn_stays_untrained() -> None:
    learner = Learner(learns=False)

    said = replay(learner, 210)

    assert learner.trained == 0
    assert np.isfinite(said).all()
