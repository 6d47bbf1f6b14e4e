import numpy as np
import pytest

from predictor import features, guard
from predictor.features import CANDIDATES, Features
from predictor.guard import SIMPLE
from predictor.runtime import completed
from tests.predictor.factories import make_submission, memories_of


def make_given(rows: int) -> Features:
    return features.build([make_submission(memories=memories_of(100.0, 900.0, 400.0, 200.0, 300.0))] * rows)


def quantiles_around(middle: np.ndarray) -> np.ndarray:
    return np.column_stack([middle - 1.0, middle, middle + 1.0])


def fitted(network: np.ndarray, given: Features, truth: np.ndarray) -> guard.Guard:
    """Chosen where this is what runs took, relative to the anchor."""
    return guard.fit(quantiles_around(network), given, given.anchor + truth, np.ones(2))


def test_network_and_trees_share_the_say_where_neither_is_better() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0.0, 3.0, 500)
    given = completed(make_given(500), truth + rng.normal(size=500))

    chosen = fitted(truth + rng.normal(size=500), given, truth)

    assert chosen.shares[3, :2].tolist() == [0.5, 0.5]


def test_a_network_that_is_right_gets_all_of_the_say() -> None:
    given, rng = make_given(500), np.random.default_rng(0)
    truth = rng.normal(0.0, 2.0, 500)

    assert fitted(truth, given, truth).shares[3, 0] == 1.0


@pytest.mark.parametrize("name", SIMPLE)
def test_a_simple_guess_that_is_right_takes_over(name: str) -> None:
    rng = np.random.default_rng(0)
    given = completed(make_given(500), np.full(500, 2.5))
    right = given.candidates[:, CANDIDATES.index(name)]

    chosen = fitted(rng.normal(0.0, 3.0, 500), given, right)

    assert chosen.shares[3, 1 + SIMPLE.index(name)] == 1.0
    moved = chosen.apply(quantiles_around(rng.normal(0.0, 3.0, 500)), given)
    np.testing.assert_allclose(moved[:, 1], given.anchor + right)


def test_the_range_is_widened_or_narrowed_until_it_holds_four_of_five() -> None:
    given, rng = make_given(2000), np.random.default_rng(1)
    noise = rng.normal(0.0, 3.0, 2000)

    chosen = fitted(np.zeros(2000), given, noise)

    moved = chosen.apply(quantiles_around(np.zeros(2000)), given)
    inside = (moved[:, 0] <= given.anchor + noise) & (given.anchor + noise <= moved[:, 2])
    assert 0.78 < inside.mean() < 0.82


def test_shares_add_up_and_the_range_stays_around_the_median() -> None:
    given, rng = make_given(60), np.random.default_rng(2)

    chosen = fitted(rng.normal(size=60), given, rng.normal(size=60))

    np.testing.assert_allclose(chosen.shares.sum(axis=1), 1.0)
    assert (np.diff(chosen.apply(quantiles_around(rng.normal(size=60)), given), axis=1) >= 0).all()


def test_the_slack_grows_on_the_side_that_later_runs_fell_beside() -> None:
    quantiles = np.tile([-1.0, 0.0, 1.0], (10, 1))

    low, high = guard.adapted(np.ones(2), quantiles, np.array([0.0] * 5 + [2.0] * 5))

    assert low < 1.0 < high
    assert guard.adapted(np.full(2, 3.9), quantiles, np.full(10, 2.0))[1] == 4.0


def test_the_range_is_wider_by_the_slack() -> None:
    given, truth = make_given(200), np.random.default_rng(3).normal(size=200)
    network = quantiles_around(np.zeros(200))

    plain, slack = (
        guard.fit(network, given, given.anchor + truth, np.array(s)).apply(network, given)
        for s in ([1.0, 1.0], [1.0, 2.0])
    )

    np.testing.assert_allclose(slack[:, 2] - slack[:, 1], 2.0 * (plain[:, 2] - plain[:, 1]))
    np.testing.assert_array_equal(slack[:, 0], plain[:, 0])
