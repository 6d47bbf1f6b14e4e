from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from predictor import network, optim
from predictor.descent import descend
from predictor.features import CANDIDATES, LENGTH
from predictor.lstm import Params
from tests.predictor.factories import make_batch
from tests.predictor.test_lstm import numeric_gradient, relative_error


def wild_network(rng: np.random.Generator) -> Params:
    """Fresh weights with the zeroes filled, which would hide what is behind them."""
    params = network.init(rng, dtype=np.float64)
    params["w_out"] = rng.normal(0.0, 0.2, params["w_out"].shape)
    params["embedding"][1:] = rng.normal(0.0, 0.2, params["embedding"][1:].shape)
    return params


def test_the_gradient_of_every_weight_equals_central_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    # Narrower than the real one, which the next test takes: each weight costs two passes.
    monkeypatch.setattr(network, "HIDDEN", 5)
    monkeypatch.setattr(network, "EMBEDDING", 3)
    monkeypatch.setattr(network, "_EMBEDDED", 12)
    monkeypatch.setattr(network, "WIDTH", 6)
    rng = np.random.default_rng(5)
    params, batch = wild_network(rng), make_batch(rng, 4)
    target, failed = rng.normal(size=4), np.array([0.0, 1.0, 1.0, 0.0])

    def loss() -> float:
        return network.loss(network.forward(params, batch)[0], target, failed)[0]

    output, cache = network.forward(params, batch)
    grads = network.backward(*network.loss(output, target, failed)[1:], cache)

    assert grads.keys() == params.keys()
    for name, array in params.items():
        found, expected = grads[name], np.zeros(0)
        if name == "embedding":  # most of its rows are not in the batch: check those that are
            rows = np.unique(batch.slots[batch.slots > 0])
            expected = checked_rows(loss, array, rows)
            np.testing.assert_array_equal(np.delete(found, rows, axis=0), 0.0)
            found = found[rows]
        else:
            expected = numeric_gradient(loss, array)
        assert relative_error(found, expected) < 1e-6, name
        np.testing.assert_allclose(found, expected, atol=1e-8, err_msg=name)


def test_the_gradient_of_the_real_network_along_any_direction_equals_central_differences() -> None:
    rng = np.random.default_rng(11)
    params, target, failed = wild_network(rng), rng.normal(size=16), 1.0 * (rng.random(16) < 0.3)
    batch = with_histories(make_batch(rng, 16), list(range(LENGTH + 1)) + [LENGTH] * 7)
    output, cache = network.forward(params, batch)
    grads = network.backward(*network.loss(output, target, failed)[1:], cache)

    for name, array in params.items():
        kept = array.copy()
        found, expected = np.zeros(20), np.zeros(20)
        for number in range(20):
            direction = rng.normal(size=array.shape)
            if name == "embedding":
                direction[0] = 0.0  # the empty slot stays zero
            direction /= np.linalg.norm(direction)
            found[number] = np.vdot(grads[name], direction)
            for sign in (1.0, -1.0):
                array[...] = kept + sign * 1e-5 * direction
                loss = network.loss(network.forward(params, batch)[0], target, failed)[0]
                expected[number] += sign * loss / 2e-5
        array[...] = kept
        assert relative_error(found, expected) < 1e-6, name


def with_histories(batch: network.Batch, lengths: list[int]) -> network.Batch:
    """The same rows with histories of these lengths."""
    return replace(batch, mask=np.arange(LENGTH) >= LENGTH - np.array(lengths)[:, None])


def checked_rows(loss: Any, array: Any, rows: Any) -> Any:
    def with_rows() -> float:
        array[rows] = part
        return float(loss())

    part = array[rows]
    gradient = numeric_gradient(with_rows, part)
    array[rows] = part
    return gradient


def test_quantiles_are_ordered_even_with_wild_weights() -> None:
    rng = np.random.default_rng(6)
    params = network.init(rng, dtype=np.float64)
    params["w_out"] = rng.normal(0.0, 30.0, params["w_out"].shape)

    output, _ = network.forward(params, make_batch(rng, 64))

    assert np.isfinite(output.quantiles).all()
    assert (np.diff(output.quantiles, axis=1) >= 0).all()
    assert ((output.failure >= 0) & (output.failure <= 1)).all()


def test_the_median_stays_within_the_candidates_and_the_correction_limit() -> None:
    rng = np.random.default_rng(7)
    params = network.init(rng, dtype=np.float64)
    params["w_out"] = rng.normal(0.0, 30.0, params["w_out"].shape)
    batch = make_batch(rng, 64)

    middle = network.forward(params, batch)[0].quantiles[:, 1]

    assert (middle <= batch.candidates.max(axis=1) + network.CORRECTION_LIMIT).all()
    assert (middle >= batch.candidates.min(axis=1) - network.CORRECTION_LIMIT).all()


def test_eight_rows_can_be_learned_by_heart() -> None:
    rng = np.random.default_rng(8)
    params, adam = network.init(rng), optim.Adam(rate=1e-2)
    batch = make_batch(rng, 8, np.float32)
    target = rng.normal(size=8).astype(np.float32)
    failed = np.arange(8, dtype=np.float32) % 2

    for step in range(600):
        adam.rate = 1e-2 * (1.0 - step / 600)
        descend(params, adam, batch, target, failed)

    output = network.forward(params, batch)[0]
    assert np.abs(output.quantiles[:, 1] - target).max() < 0.05
    assert np.abs(output.failure - failed).max() < 0.05


def test_pinball_of_the_true_quantiles_is_zero_and_of_others_is_weighted() -> None:
    loss, slope = network.pinball(np.array([[1.0, 1.0, 1.0]]), np.array([3.0]))

    assert loss == np.float64(2 * (0.1 + 0.5 + 0.9))
    np.testing.assert_allclose(slope, [[-0.1, -0.5, -0.9]])
    assert network.pinball(np.array([[3.0, 3.0, 3.0]]), np.array([3.0]))[0] == 0.0


def test_fresh_weights_lean_to_the_trees() -> None:
    _, cache = network.forward(network.init(np.random.default_rng(0)), make_batch(np.random.default_rng(0), 3))

    assert (cache.head.mix.argmax(axis=1) == CANDIDATES.index("trees")).all()
