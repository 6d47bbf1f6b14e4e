"""The numbers below the classifier: sparse products, the loss and its slope, the solver."""

import numpy as np
import pytest

from predictor import lbfgs, softmax, sparse
from predictor.softmax import Head


def head_of(rng: np.random.Generator, rows: int, kinds: int, penalty: float) -> Head:
    target = rng.integers(-1, kinds, rows)
    weight = np.where(target < 0, 0.0, rng.random(rows))
    return Head(target, weight, rng.normal(size=(rows, kinds)), penalty)


def test_the_slope_of_the_loss_is_that_of_its_differences() -> None:
    rng = np.random.default_rng(3)
    rows, columns = 12, 7
    texts, features = np.nonzero(rng.random((rows, columns)) < 0.5)
    heads = tuple(head_of(rng, rows, kinds, penalty) for kinds, penalty in ((4, 0.1), (3, 0.7)))
    problem = softmax.problem(rows, columns, texts, features, rng.normal(size=len(texts)), heads)
    weights = rng.normal(size=(columns + 1, 7))
    _, slope = problem.loss(weights)
    step = 1e-3  # products are of single precision
    for row, column in [(0, 0), (3, 2), (6, 6), (7, 1), (7, 5)]:
        shift = np.zeros_like(weights)
        shift[row, column] = step
        measured = (problem.loss(weights + shift)[0] - problem.loss(weights - shift)[0]) / (2 * step)
        assert slope[row, column] == pytest.approx(measured, rel=1e-3, abs=1e-4)


def test_sparse_products_are_those_of_dense_ones() -> None:
    rng = np.random.default_rng(4)
    dense = rng.normal(size=(40, 30)) * (rng.random((40, 30)) < 0.2)
    texts, features = np.nonzero(dense)
    matrix = sparse.sparse(40, texts, features, dense[texts, features])
    other = rng.normal(size=(30, 5))
    np.testing.assert_allclose(matrix.dot(other), dense @ other, rtol=1e-5, atol=1e-6)


def bowl(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A quadratic whose directions differ in curvature by a factor of a million, and where it is lowest."""
    return np.logspace(-3, 3, size), rng.normal(size=size)


def test_the_solver_finds_the_bottom_of_a_bowl() -> None:
    curvature, bottom = bowl(np.random.default_rng(6), 30)

    def value(point: np.ndarray) -> tuple[float, np.ndarray]:
        return float(0.5 * np.dot(curvature, (point - bottom) ** 2)), curvature * (point - bottom)

    found = lbfgs.minimise(value, np.zeros(30), scale=1.0 / curvature, steps=50, tolerance=0.0)
    np.testing.assert_allclose(found, bottom, atol=1e-6)


def test_a_scale_that_knows_the_curvature_saves_steps() -> None:
    curvature, bottom = bowl(np.random.default_rng(7), 30)

    def value(point: np.ndarray) -> tuple[float, np.ndarray]:
        return float(0.5 * np.dot(curvature, (point - bottom) ** 2)), curvature * (point - bottom)

    def loss(scale: np.ndarray) -> float:
        return value(lbfgs.minimise(value, np.zeros(30), scale=scale, steps=5))[0]

    assert loss(2.0 / curvature) < 1e-3 * loss(np.ones(30))


def test_the_solver_never_ends_above_where_it_started() -> None:
    def rises(point: np.ndarray) -> tuple[float, np.ndarray]:
        return float(np.dot(point, point)), -2.0 * point  # the slope lies

    start = np.ones(3)
    assert lbfgs.minimise(rises, start, scale=np.ones(3), steps=5) is start


def test_the_scale_is_about_one_over_the_curvature_of_the_loss() -> None:
    rng = np.random.default_rng(8)
    rows, columns = 200, 6
    texts, features = np.nonzero(rng.random((rows, columns)) < 0.5)
    head = Head(rng.integers(0, 3, rows), np.ones(rows), np.zeros((rows, 3)), 0.5)
    problem = softmax.problem(rows, columns, texts, features, rng.normal(size=len(texts)), (head,))
    start, step = np.zeros((columns + 1, 3)), 1e-2
    for row, column in [(0, 0), (5, 2), (6, 1)]:
        shift = np.zeros_like(start)
        shift[row, column] = step
        bend = (problem.loss(shift)[1] - problem.loss(-shift)[1])[row, column] / (2 * step)
        assert problem.scale()[row, column] * bend == pytest.approx(1.0, rel=0.05)
