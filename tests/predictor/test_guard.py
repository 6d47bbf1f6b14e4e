import numpy as np
import pytest

from predictor import features, guard
from predictor.features import CANDIDATES, Features
from predictor.guard import SIMPLE
from tests.predictor.factories import make_submission, memories_of


def make_given(rows: int) -> Features:
    return features.build([make_submission(memories=memories_of(100.0, 900.0, 400.0, 200.0, 300.0))] * rows)


def quantiles_around(middle: np.ndarray) -> np.ndarray:
    return np.column_stack([middle - 1.0, middle, middle + 1.0])


def test_a_network_that_is_right_keeps_all_of_the_say() -> None:
    given, rng = make_given(500), np.random.default_rng(0)
    truth = rng.normal(0.0, 2.0, 500)

    chosen = guard.fit(quantiles_around(truth), given, given.anchor + truth)

    assert chosen.shares[3, 0] == 1.0


@pytest.mark.parametrize("name", SIMPLE)
def test_a_simple_guess_that_is_right_takes_over(name: str) -> None:
    given, rng = make_given(500), np.random.default_rng(0)
    right = given.candidates[:, CANDIDATES.index(name)]

    chosen = guard.fit(quantiles_around(rng.normal(0.0, 3.0, 500)), given, given.anchor + right)

    assert chosen.shares[3, 1 + SIMPLE.index(name)] == 1.0
    moved = chosen.apply(quantiles_around(rng.normal(0.0, 3.0, 500)), given)
    np.testing.assert_allclose(moved[:, 1], given.anchor + right)


def test_the_range_is_widened_or_narrowed_until_it_holds_four_of_five() -> None:
    given, rng = make_given(2000), np.random.default_rng(1)
    noise = rng.normal(0.0, 3.0, 2000)
    network = quantiles_around(np.zeros(2000))

    chosen = guard.fit(network, given, given.anchor + noise)

    moved = chosen.apply(network, given)
    inside = (moved[:, 0] <= given.anchor + noise) & (given.anchor + noise <= moved[:, 2])
    assert 0.78 < inside.mean() < 0.82


def test_shares_add_up_and_the_range_stays_around_the_median() -> None:
    given, rng = make_given(60), np.random.default_rng(2)

    chosen = guard.fit(quantiles_around(rng.normal(size=60)), given, given.anchor + rng.normal(size=60))

    np.testing.assert_allclose(chosen.shares.sum(axis=1), 1.0)
    assert (np.diff(chosen.apply(quantiles_around(rng.normal(size=60)), given), axis=1) >= 0).all()
