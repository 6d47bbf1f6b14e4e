import numpy as np
import pytest

from predictor import optim


def test_adam_takes_the_steps_worked_out_by_hand() -> None:
    params = {"w": np.array([1.0, -2.0])}
    adam = optim.Adam(rate=0.1, epsilon=0.0)

    adam.step(params, {"w": np.array([0.5, -4.0])})  # the first step is the rate, whatever the gradient
    np.testing.assert_allclose(params["w"], [0.9, -1.9])

    adam.step(params, {"w": np.array([0.0, 0.0])})
    # m = 0.9 * 0.1 g, v = 0.999 * 0.001 g^2, corrected by 0.19 and 0.001999
    size = 0.1 * (0.09 / 0.19) / np.sqrt(0.000999 / 0.001999)
    np.testing.assert_allclose(params["w"], [0.9 - size, -1.9 + size])


def test_adam_keeps_float32() -> None:
    params = {"w": np.ones(3, np.float32)}

    optim.Adam().step(params, {"w": np.ones(3, np.float32)})

    assert params["w"].dtype == np.float32


def test_clip_scales_all_gradients_by_their_joint_norm() -> None:
    grads = {"a": np.array([3.0]), "b": np.array([[4.0]])}

    assert optim.clip(grads, 1.0) == pytest.approx(5.0)
    assert grads["a"][0] == pytest.approx(0.6)
    assert grads["b"][0, 0] == pytest.approx(0.8)


def test_clip_leaves_small_gradients_alone() -> None:
    grads = {"a": np.array([0.3, 0.4])}

    optim.clip(grads, 1.0)

    assert grads["a"].tolist() == [0.3, 0.4]


def test_clip_drops_gradients_that_are_not_finite() -> None:
    grads = {"a": np.array([np.nan]), "b": np.array([1.0])}

    optim.clip(grads, 1.0)

    assert grads["a"][0] == 0.0
    assert grads["b"][0] == 0.0


def test_average_moves_towards_the_weights() -> None:
    mean = {"w": np.array([0.0])}

    optim.average(mean, {"w": np.array([1.0])}, keeps=0.75)

    assert mean["w"][0] == pytest.approx(0.25)
