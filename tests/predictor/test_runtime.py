import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.runtime import DEFAULT_MS, Run, RuntimeModel, Submission, untrained
from predictor.train import examples_from_log, train
from tests.predictor.factories import make_log, make_submission

TRAINED = train(examples_from_log(make_log(400)), epochs=3).model
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True) | st.none()
ANY_TEXT = st.text(st.characters(), max_size=30)  # lone surrogates included
RUNS = st.builds(Run, ANY_FLOAT, ANY_FLOAT, st.booleans() | st.none())
SUBMISSIONS = st.builds(
    Submission,
    type=ANY_TEXT,
    name=ANY_TEXT,
    user=ANY_TEXT,
    payload_bytes=st.integers() | st.just(10**400) | st.none(),
    hour=ANY_FLOAT,
    history=st.lists(RUNS, max_size=12).map(tuple),
)


@given(st.lists(SUBMISSIONS, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_submission_gets_a_finite_positive_ordered_prediction(submissions: list[Submission]) -> None:
    for prediction in TRAINED.predict(submissions):
        assert 1.0 <= prediction.low_ms <= prediction.ms <= prediction.high_ms <= 7 * 86_400_000 * (1 + 1e-12)
        assert math.isfinite(prediction.ms)


@pytest.mark.parametrize("model", [TRAINED, untrained()], ids=["trained", "untrained"])
def test_one_by_one_equals_batched(model: RuntimeModel) -> None:
    submissions = [example.submission for example in examples_from_log(make_log(300, seed=3))]

    batched = model.predict(submissions)
    single = [model.predict([submission])[0] for submission in submissions]

    for field in ("ms", "low_ms", "high_ms"):
        np.testing.assert_allclose([getattr(p, field) for p in single], [getattr(p, field) for p in batched], rtol=1e-5)


def test_no_submissions_give_no_predictions() -> None:
    assert TRAINED.predict([]) == []


def test_an_untrained_model_repeats_the_ewma_or_the_default() -> None:
    known, stranger = untrained().predict(
        [make_submission(history=(Run(900.0, 0.0, False),)), make_submission(history=())]
    )

    assert known.ms == pytest.approx(900.0)
    assert stranger.ms == pytest.approx(DEFAULT_MS)


def test_predictions_stay_within_a_millisecond_and_a_week() -> None:
    shortest, longest = (
        TRAINED.predict([make_submission(history=(Run(ms, 1.0, False),) * 8)])[0] for ms in (0.0, 1e300)
    )

    assert shortest.low_ms >= 1.0
    assert longest.high_ms <= 7 * 86_400_000 * (1 + 1e-12)
