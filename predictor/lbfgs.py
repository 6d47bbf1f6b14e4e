"""Limited-memory BFGS (Nocedal 1980; Nocedal and Wright 2006, algorithm 7.4) for smooth convex functions."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

MEMORY = 6  # pairs of steps kept
SMALLEST_STEP = 1e-6  # of the line search, before it gives up


def minimise(
    function: Callable[[Array], tuple[float, Array]],
    start: Array,
    *,
    scale: Array,
    steps: int,
    tolerance: float = 1e-4,
    deadline: float | None = None,
) -> Array:
    """Where `function`, which gives value and gradient, is smallest, from start.

    scale, of start's shape, is a first guess of the inverse of the Hessian's diagonal. Ends after `steps`, once a step
    gains less than tolerance relative to the value, or when time.monotonic() passes deadline; always returns the best
    point met.
    """
    point = start
    value, slope = function(point)
    pairs: deque[tuple[Array, Array, float]] = deque(maxlen=MEMORY)
    for _ in range(steps):
        if deadline is not None and time.monotonic() > deadline:
            break
        direction = -_inverse_hessian(slope, pairs, scale)
        found = _search(function, point, value, slope, direction)
        if found is None:
            break
        move, new_value, new_slope = found
        change = new_slope - slope
        curvature = float(np.vdot(move, change))
        if curvature > 1e-10 * float(np.vdot(change, change)):
            pairs.append((move, change, curvature))
        gain, point, value, slope = value - new_value, point + move, new_value, new_slope
        if gain < tolerance * max(abs(value), 1e-12):
            break
    return point


def _inverse_hessian(slope: Array, pairs: deque[tuple[Array, Array, float]], scale: Array) -> Array:
    """The two loops: the estimated inverse Hessian times slope."""
    out = slope.copy()
    shares = []
    for move, change, curvature in reversed(pairs):
        share = float(np.vdot(move, out)) / curvature
        shares.append(share)
        out -= share * change
    out *= scale
    if pairs:
        move, change, curvature = pairs[-1]
        out *= curvature / float(np.vdot(change, scale * change))
    for (move, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        out += (share - float(np.vdot(change, out)) / curvature) * move
    return out


def _search(
    function: Callable[[Array], tuple[float, Array]],
    point: Array,
    value: float,
    slope: Array,
    direction: Array,
) -> tuple[Array, float, Array] | None:
    """Halve the step until it falls enough (Armijo 1966): the step, value and gradient there; None if none does."""
    falls, size = float(np.vdot(slope, direction)), 1.0
    while falls < 0.0 and size > SMALLEST_STEP:
        move = size * direction
        new_value, new_slope = function(point + move)
        if new_value <= value + 1e-4 * size * falls:
            return move, new_value, new_slope
        size /= 2.0
    return None
