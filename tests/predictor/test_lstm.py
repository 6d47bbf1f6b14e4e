from typing import Any

import numpy as np
import pytest

from predictor import lstm


def numeric_gradient(loss: Any, array: Any, step: float = 1e-5) -> Any:
    """Central differences of loss() with respect to every number in array."""
    gradient = np.zeros_like(array)
    for at in np.ndindex(array.shape):
        kept = array[at]
        array[at] = kept + step
        above = loss()
        array[at] = kept - step
        below = loss()
        array[at] = kept
        gradient[at] = (above - below) / (2 * step)
    return gradient


def relative_error(found: Any, expected: Any) -> float:
    return float(np.linalg.norm(found - expected) / (np.linalg.norm(found) + np.linalg.norm(expected) + 1e-30))


def front_padding(lengths: list[int], steps: int) -> Any:
    return np.arange(steps)[:, None] >= steps - np.array(lengths)


@pytest.mark.parametrize(
    "mask",
    [None, front_padding([5, 3, 0], 5), np.random.default_rng(4).random((5, 3)) < 0.6],
    ids=["full", "front padded", "holes"],
)
def test_gradients_equal_central_differences(mask: Any) -> None:
    rng = np.random.default_rng(1)
    params = lstm.init(rng, inputs=3, hidden=4)
    x = rng.normal(size=(5, 3, 3))
    dout = rng.normal(size=(5, 3, 4))

    def loss() -> float:
        return float((lstm.forward(params, x, mask)[0] * dout).sum())

    _, cache = lstm.forward(params, x, mask)
    grads, dx = lstm.backward(dout, cache)

    assert grads.keys() == params.keys()
    for name, array in params.items():
        assert relative_error(grads[name], numeric_gradient(loss, array)) < 1e-6, name
    assert relative_error(dx, numeric_gradient(loss, x)) < 1e-6


def test_one_step_equals_the_equations() -> None:
    rng = np.random.default_rng(2)
    params = lstm.init(rng, inputs=2, hidden=3, layers=1)
    x = rng.normal(size=(1, 1, 2))

    output, _ = lstm.forward(params, x)

    z = x[0] @ params["w0"][:2] + params["b0"]
    i, _f, o = (1 / (1 + np.exp(-z[:, 3 * gate : 3 * gate + 3])) for gate in range(3))
    np.testing.assert_allclose(output[0], o * np.tanh(i * np.tanh(z[:, 9:])), rtol=1e-12)


def test_padding_in_front_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    params = lstm.init(rng, inputs=3, hidden=4)
    x = rng.normal(size=(6, 1, 3))

    padded, _ = lstm.forward(params, x, front_padding([4], 6))
    short, _ = lstm.forward(params, x[2:])

    np.testing.assert_allclose(padded[-1], short[-1], rtol=1e-12)


def test_a_new_cell_starts_with_open_forget_gates() -> None:
    bias = lstm.init(np.random.default_rng(0), inputs=2, hidden=3)["b1"]

    assert bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_the_last_state_is_that_of_forward_whatever_of_the_front_is_padding() -> None:
    rng = np.random.default_rng(9)
    params = lstm.init(rng, 4, 5)
    x = rng.normal(size=(6, 40, 4))
    mask = np.arange(6)[:, None] >= rng.integers(0, 7, 40)
    mask[:, 0], mask[:, 1] = True, False

    expected = lstm.forward(params, x, mask)[0][-1]

    np.testing.assert_allclose(lstm.last_state(lstm.fuse(params), x, mask), expected, atol=1e-12)
