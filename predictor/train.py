"""Fits a runtime model to past jobs and says how good it is on the newest of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from predictor import features, levels, network, optim, scoring
from predictor.examples import Example, LogRow, examples_from_log
from predictor.features import LONGEST_MS, SHORTEST_MS, Features
from predictor.levels import LEVELS, Floats
from predictor.lstm import Params
from predictor.runtime import RuntimeModel

__all__ = ["Example", "LogRow", "Metrics", "TrainedModel", "examples_from_log", "train"]

Metrics = dict[str, float | dict[str, float]]

HELD_OUT_SHARE = 0.2
FEWEST_EXAMPLES = 5  # below, nothing could be held out
BATCH_ROWS = 256
SMALLEST_EPOCH_STEPS = 16  # short logs are cut into smaller batches, so that they too get enough steps
RATE = 2e-3
GRADIENT_LIMIT = 1.0
AVERAGE_KEEPS = 0.99  # of the averaged weights at each step
FORGETS = 0.3  # share of words hidden at each step, so that unknown ones do not surprise
PATIENCE = 3  # epochs without a better held-out loss before it stops
LEVEL_BLOCKS = 10  # snapshots of the medians over the training part
TRUST_SHARES = (1.0, 0.75, 0.5, 0.25, 0.0)  # tried on the held-out part; the first wins a tie
DOUBT = 100.0  # examples at which the network is trusted halfway


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model and its measures on the held-out examples."""

    model: RuntimeModel
    metrics: Metrics


def train(
    examples: Sequence[Example],
    *,
    seed: int = 0,
    epochs: int = 14,
    max_seconds: float | None = None,
    start: RuntimeModel | None = None,
) -> TrainedModel:
    """Fit to the first 80 % of examples (in time order); stop and measure by the last 20 %.

    The medians the model falls back to are in the end those of all examples, the held-out ones included.
    The same examples and seed give the same model, unless max_seconds cuts the training short; what it has
    learned by then is kept. Metrics: `samples`, `held_out`, `mdape`, `malr`, `within_2x`, the same three
    under each of `ewma`, `last_two` and `type_median`, `p10_p90_coverage`, `train_seconds`. Stopping and
    trust are chosen on the same held-out part, so its figures are slightly kind. With a start the training goes on
    from its weights, and the same three of it stand under `current`. Raises ValueError below
    FEWEST_EXAMPLES examples.
    """
    if len(examples) < FEWEST_EXAMPLES:
        raise ValueError(f"{len(examples)} examples, at least {FEWEST_EXAMPLES} needed")
    started = time.monotonic()
    deadline = None if max_seconds is None else started + max_seconds
    split = len(examples) - max(1, round(HELD_OUT_SHARE * len(examples)))
    submissions = [example.submission for example in examples]
    runtimes = np.array([example.runtime_ms for example in examples], dtype=np.float64)
    log_ms = np.log(np.clip(np.nan_to_num(runtimes), SHORTEST_MS, LONGEST_MS))

    keys = features.level_keys(submissions)
    table = levels.measure(keys[:split], log_ms[:split])
    learned = features.assemble(
        submissions[:split],
        features.read_history(submissions[:split]),
        *levels.snapshots(keys[:split], log_ms[:split], table.overall, LEVEL_BLOCKS),
    )
    held_out = features.build(submissions[split:], table)
    model = _fresh_model(np.random.default_rng(seed), learned, table)
    if start is not None:
        model = replace(start, params=_copy(start.params), levels=table)
    model = _fit(model, learned, log_ms[:split], held_out, log_ms[split:], seed, epochs, deadline)

    type_medians = table.look_up(keys[split:])[0][:, LEVELS.index("type")]
    simple = scoring.baselines(held_out, np.where(np.isnan(type_medians), table.overall, type_medians))
    metrics: Metrics = {"samples": float(len(examples)), "held_out": float(len(examples) - split)}
    metrics |= scoring.score(model.log_quantiles(held_out), log_ms[split:], simple)
    if start is not None:
        metrics["current"] = scoring.errors(start.log_quantiles(held_out)[:, 1], log_ms[split:])
    metrics["train_seconds"] = time.monotonic() - started
    # Measured with medians that had not seen the held-out runs; what is used from now on knows them too.
    return TrainedModel(replace(model, levels=levels.measure(keys, log_ms)), metrics)


def _fresh_model(rng: np.random.Generator, learned: Features, table: levels.Levels) -> RuntimeModel:
    mean = learned.summary.mean(axis=0)
    deviation = learned.summary.std(axis=0)
    # A summary that never varied says nothing: its scale of zero keeps it out for good.
    scale = np.where(deviation > 1e-3, 1.0 / np.maximum(deviation, 1e-3), 0.0).astype(np.float32)
    trust = len(learned.anchor) / (len(learned.anchor) + DOUBT)
    return RuntimeModel(network.init(rng), table, mean, scale, trust)


def _fit(
    model: RuntimeModel,
    learned: Features,
    log_ms: Floats,
    held_out: Features,
    held_out_log_ms: Floats,
    seed: int,
    epochs: int,
    deadline: float | None,
) -> RuntimeModel:
    """Descend until the held-out loss no longer falls; return the best model seen, guarded."""
    rng = np.random.default_rng([seed, 1])
    batch = model.batch(learned)
    target = (log_ms - learned.anchor).astype(np.float32)
    rows = len(target)
    size = max(8, min(BATCH_ROWS, rows // SMALLEST_EPOCH_STEPS))
    total = epochs * -(-rows // size)
    adam = optim.Adam()
    weights = _copy(model.params)
    best, best_loss, since = _copy(weights), _loss(model, held_out, held_out_log_ms), 0
    for _ in range(epochs):
        order = rng.permutation(rows)
        for start in range(0, rows, size):
            # Warm up over a twentieth, then fall along half a cosine (https://arxiv.org/abs/1608.03983).
            done = adam.count / total
            adam.rate = RATE * min(1.0, 20.0 * done + 0.05) * (0.5 + 0.5 * np.cos(np.pi * done))
            chosen = order[start : start + size]
            part = batch.take(chosen)
            part = replace(part, slots=np.where(rng.random(part.slots.shape) < FORGETS, 0, part.slots))
            descend(weights, adam, part, target[chosen])
            optim.average(model.params, weights, min(AVERAGE_KEEPS, adam.count / (adam.count + 10.0)))
            if deadline is not None and time.monotonic() > deadline:
                break
        loss = _loss(model, held_out, held_out_log_ms)
        since += 1
        if loss < best_loss:
            best, best_loss, since = _copy(model.params), loss, 0
        if since >= PATIENCE or (deadline is not None and time.monotonic() > deadline):
            break
    return _guard(replace(model, params=best), held_out, held_out_log_ms)


def _guard(model: RuntimeModel, held_out: Features, log_ms: Floats) -> RuntimeModel:
    """The model with the share of its trust, down to none, that serves the held-out median best."""

    def miss(trusting: RuntimeModel) -> float:
        return float(np.abs(trusting.log_quantiles(held_out)[:, 1] - log_ms).mean())

    return min((replace(model, trust=model.trust * share) for share in TRUST_SHARES), key=miss)


def descend(params: Params, adam: optim.Adam, batch: network.Batch, target: NDArray[np.floating[Any]]) -> float:
    """One step of Adam on a batch; target is ln runtime relative to the anchor. Return the loss before it."""
    quantiles, cache = network.forward(params, batch)
    loss, dquantiles = network.pinball(quantiles, target)
    grads = network.backward(dquantiles, cache)
    optim.clip(grads, GRADIENT_LIMIT)
    adam.step(params, grads)
    return loss


def _loss(model: RuntimeModel, held_out: Features, log_ms: Floats) -> float:
    return network.pinball(model.log_quantiles(held_out), log_ms)[0]


def _copy(params: Params) -> Params:
    return {name: value.copy() for name, value in params.items()}
