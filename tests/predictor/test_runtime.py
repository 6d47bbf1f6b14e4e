import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.memory import DECAYS, LEVELS, Memory, typical_ms
from predictor.runtime import Run, RuntimeModel, Submission, untrained
from predictor.train import examples_from_log, train
from tests.predictor.factories import NOTHING, make_log, make_submission, memories_of

TRAINED = train(examples_from_log(make_log(400)), epochs=3).model
ANY_NUMBER = st.floats(allow_nan=True, allow_infinity=True) | st.none() | st.integers() | st.just(10**400)
ANY_TEXT = st.text(st.characters(), max_size=30)  # lone surrogates included
RUNS = st.builds(Run, ANY_NUMBER, ANY_NUMBER, st.booleans() | st.none())
PER_DECAY = st.tuples(*[ANY_NUMBER] * len(DECAYS))
MEMORIES = st.builds(
    Memory, ANY_NUMBER, ANY_NUMBER, PER_DECAY, PER_DECAY, ANY_NUMBER, ANY_NUMBER, st.lists(RUNS, max_size=18).map(tuple)
)
SUBMISSIONS = st.builds(
    Submission,
    type=ANY_TEXT,
    name=ANY_TEXT,
    user=ANY_TEXT,
    payload_bytes=ANY_NUMBER,
    at=ANY_NUMBER,
    memories=st.tuples(*[st.none() | MEMORIES] * len(LEVELS)) | st.just(()),
    requested_ms=ANY_NUMBER,
)


@given(st.lists(SUBMISSIONS, min_size=1, max_size=4), st.sampled_from([TRAINED, untrained()]))
@settings(max_examples=200, deadline=None)
def test_any_submission_gets_a_finite_positive_ordered_prediction(
    submissions: list[Submission], model: RuntimeModel
) -> None:
    for prediction in model.predict(submissions):
        assert 1.0 <= prediction.low_ms <= prediction.ms <= prediction.high_ms <= 7 * 86_400_000 * (1 + 1e-12)
        assert 0.0 <= prediction.failure_probability <= 1.0
        assert math.isfinite(prediction.ms)


@pytest.mark.parametrize("model", [TRAINED, untrained()], ids=["trained", "untrained"])
def test_one_by_one_equals_batched(model: RuntimeModel) -> None:
    submissions = [example.submission for example in examples_from_log(make_log(300, seed=3))]

    batched = np.array(model.predict(submissions))
    single = np.array([model.predict([submission])[0] for submission in submissions])

    np.testing.assert_allclose(single, batched, rtol=2e-5)


def test_no_submissions_give_no_predictions() -> None:
    assert TRAINED.predict([]) == []


@pytest.mark.parametrize("levels", range(6))
def test_an_untrained_model_shrinks_from_own_history_to_the_default(levels: int) -> None:
    known = (*NOTHING[:levels], *memories_of(900.0, 700.0)[levels:])

    (prediction,) = untrained().predict([make_submission(memories=known)])

    assert prediction.ms == pytest.approx(typical_ms(known))


def test_an_untrained_model_is_honest_about_what_it_does_not_know() -> None:
    nothing, steady = untrained().predict([make_submission(memories=m) for m in (NOTHING, memories_of(*[500.0] * 20))])

    assert nothing.ms == pytest.approx(2000.0)
    assert nothing.high_ms / nothing.low_ms > 100
    assert steady.high_ms / steady.low_ms < 2


def test_predictions_stay_within_a_millisecond_and_a_week() -> None:
    shortest, longest = (TRAINED.predict([make_submission(memories=memories_of(*[ms] * 8))])[0] for ms in (0.0, 1e300))

    assert shortest.low_ms >= 1.0
    assert longest.high_ms <= 7 * 86_400_000 * (1 + 1e-12)


def test_a_job_that_always_fails_is_likelier_to_fail() -> None:
    rows = [row._replace(failed=row.name in ("job 1", "job 5")) for row in make_log(800)]
    model = train(examples_from_log(rows), epochs=6).model

    fails, works = model.predict([make_submission(memories=memories_of(*[900.0] * 9, failed=f)) for f in (True, False)])

    assert fails.failure_probability > 0.5 > works.failure_probability


def test_far_inputs_do_not_take_over() -> None:
    far = replace(TRAINED, summary_scale=TRAINED.summary_scale * 1e6)

    (prediction,) = far.predict([make_submission()])

    assert math.isfinite(prediction.ms)
