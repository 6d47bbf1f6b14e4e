"""Gradient descent on examples: epochs of mini-batches, an averaged iterate, early stopping."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from predictor import network, optim
from predictor.lstm import Array, Params
from predictor.network import Batch

BATCH_ROWS = 256
SMALLEST_EPOCH_STEPS = 16  # short logs are cut into smaller batches, so that they too get enough steps
GRADIENT_LIMIT = 1.0
AVERAGE_KEEPS = 0.99  # of the averaged weights at each step
FORGETS = 0.5  # share of words hidden at each step, so that unknown ones do not surprise
PATIENCE = 3  # epochs without a better held-out loss before it stops


def descend(params: Params, adam: optim.Adam, batch: Batch, target: Array, failed: Array) -> float:
    """One step of Adam on a batch; target is ln runtime relative to the anchor. Return the loss before it."""
    output, cache = network.forward(params, batch)
    loss, dquantiles, dchance = network.loss(output, target, failed)
    grads = network.backward(dquantiles, dchance, cache)
    optim.clip(grads, GRADIENT_LIMIT)
    adam.step(params, grads)
    return loss


def fit(
    params: Params,
    take: Callable[[NDArray[np.intp]], tuple[Batch, Array, Array]],
    rows: int,
    *,
    rate: float,
    epochs: int,
    rng: np.random.Generator,
    judge: Callable[[Params], float] | None,
    deadline: float | None,
) -> Params:
    """The weights after at most `epochs` over all rows; take gives the batch, targets and failures of some of them.

    With a judge, the averaged weights it finds best (least), and no further than PATIENCE epochs past them.
    """
    weights, mean = copy(params), copy(params)
    best, least, since = mean, np.inf if judge is None else judge(mean), 0
    size = max(8, min(BATCH_ROWS, rows // SMALLEST_EPOCH_STEPS))
    total = epochs * -(-rows // size)
    adam = optim.Adam()
    for _ in range(epochs):
        order = rng.permutation(rows)
        for start in range(0, rows, size):
            # Warm up over a twentieth, then fall along half a cosine (https://arxiv.org/abs/1608.03983).
            done = adam.count / total
            adam.rate = rate * min(1.0, 20.0 * done + 0.05) * (0.5 + 0.5 * np.cos(np.pi * done))
            batch, target, failed = take(order[start : start + size])
            batch = replace(batch, slots=np.where(rng.random(batch.slots.shape) < FORGETS, 0, batch.slots))
            descend(weights, adam, batch, target, failed)
            optim.average(mean, weights, min(AVERAGE_KEEPS, adam.count / (adam.count + 10.0)))
            if optim.over(deadline):
                break
        if judge is None:
            best = mean
        else:
            found = judge(mean)
            since += 1
            if found < least:
                best, least, since = copy(mean), found, 0
        if since >= PATIENCE or optim.over(deadline):
            break
    return best


def copy(params: Params) -> Params:
    return {name: value.copy() for name, value in params.items()}
