import numpy as np

from predictor import trees
from predictor.trees import DEPTH, Trees


def columns(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32)


def test_a_tree_worked_out_by_hand() -> None:
    """One question that matters, on column 1, in the last of the depths; the others ask nothing."""
    tree = Trees(
        10.0,
        np.array([[0] * (DEPTH - 1) + [1]], np.int16),
        np.array([[1e6] * (DEPTH - 1) + [0.5]], np.float32),
        np.array([[1.0, 2.0] + [99.0] * (2**DEPTH - 2)], np.float32),
    )

    assert tree.predict(np.array([[7.0, 0.5], [7.0, 0.6]])).tolist() == [11.0, 12.0]


def test_steps_and_their_combination_are_learned() -> None:
    x, new = columns(3000), columns(500, seed=1)

    def truth(of: np.ndarray) -> np.ndarray:
        return np.where((of[:, 2] > 0.3) & (of[:, 4] < 0.0), 3.0, -1.0)

    grown = trees.fit(x, truth(x), np.random.default_rng(0))

    assert np.abs(grown.predict(new) - truth(new)).mean() < 0.25 * np.abs(truth(new) + 1.0).mean()


def test_far_values_do_not_matter_to_what_is_learned() -> None:
    x = columns(2000)
    target = np.where(x[:, 0] > 0, 1.0, -1.0)
    spoilt = target.copy()
    spoilt[::10] = 1e6

    grown = trees.fit(x, spoilt, np.random.default_rng(0))

    assert np.median(np.abs(grown.predict(x) - target)) < 0.2


def test_few_rows_and_columns_that_never_vary_teach_little_and_break_nothing() -> None:
    for rows in (1, 2, 5):
        grown = trees.fit(np.ones((rows, 6), np.float32), np.arange(float(rows)), np.random.default_rng(0))

        assert np.isfinite(grown.predict(columns(20))).all()
        assert np.abs(grown.predict(columns(20)) - np.median(np.arange(rows))).max() < rows


def test_no_trees_say_nothing() -> None:
    assert trees.none().predict(columns(4)).tolist() == [0.0] * 4


def test_the_same_generator_grows_the_same_trees() -> None:
    x = columns(200)
    one, other = (trees.fit(x, x[:, 0] * 1.0, np.random.default_rng(4), count=5) for _ in range(2))

    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.columns, other.columns)
