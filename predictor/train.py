"""Fits a runtime model to past jobs and says how good it is on the newest of them."""

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from predictor import descent, features, guard, network, scoring, trees
from predictor.examples import Example, LogRow, examples_from_log
from predictor.features import Features
from predictor.guard import Guard
from predictor.history import Floats, floats, log_milliseconds
from predictor.lstm import Array, Params
from predictor.runtime import RuntimeModel, completed
from predictor.trees import Trees

__all__ = ["Example", "LogRow", "Metrics", "TrainedModel", "examples_from_log", "train"]

Metrics = dict[str, float | dict[str, float]]

HELD_OUT_SHARE = 0.2
FEWEST_EXAMPLES = 5  # below, nothing could be held out
CHUNK = 4096  # submissions whose features are made at once: bounds the memory beside the features themselves
FOLDS, BLOCKS, FOLD_TREES = 2, 10, 50  # the trees of each example are grown without its block
RATE, EPOCHS = 1e-3, 10
RATE_AGAIN, EPOCHS_AGAIN = 5e-4, 3  # from the weights in use
RATE_LAST, EPOCHS_LAST = 2e-4, 1  # over everything, the held-out runs included


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model and its measures on the held-out examples."""

    model: RuntimeModel
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Lesson:
    """N examples as arrays."""

    given: Features
    log_ms: Floats  # (N,)
    failed: Array  # (N,): 0 or 1
    ended_at: Floats  # (N,): seconds since the epoch, in order

    def __len__(self) -> int:
        return len(self.log_ms)

    def part(self, rows: slice) -> "Lesson":
        return Lesson(self.given.take(rows), self.log_ms[rows], self.failed[rows], self.ended_at[rows])


def train(
    examples: Collection[Example],
    *,
    seed: int = 0,
    epochs: int | None = None,
    max_seconds: float | None = None,
    start: RuntimeModel | None = None,
) -> TrainedModel:
    """Fit to the examples that ended first, stop and measure by those that ended last, then learn those too.

    Held out are the last 20 %; with a start, which is continued from, at most the later half of what it has not
    learned from, so that both are measured on runs that are new to either. The same examples, seed and start give
    the same model, unless max_seconds cuts the training short; what it has learned by then is kept.
    Metrics, of the model before it learned the held-out runs: `samples`, `held_out`, `mdape`, `malr`, `within_2x`,
    `spearman`, `p10_p90_coverage`, `failure_brier`, `train_seconds`, and `mdape`, `malr` and `within_2x` under each
    of `ewma`, `last_two`, `type_median` and, with a start, `current`. Raises ValueError below FEWEST_EXAMPLES.
    """
    if len(examples) < FEWEST_EXAMPLES:
        raise ValueError(f"{len(examples)} examples, at least {FEWEST_EXAMPLES} needed")
    return learn(prepare(examples), seed=seed, epochs=epochs, max_seconds=max_seconds, start=start)


def learn(
    lesson: "Lesson",
    *,
    seed: int = 0,
    epochs: int | None = None,
    max_seconds: float | None = None,
    start: RuntimeModel | None = None,
) -> TrainedModel:
    """The same as train, from examples that are arrays already."""
    started = time.monotonic()
    deadline = None if max_seconds is None else started + max_seconds
    split = len(lesson) - held_out_count(lesson, start)
    learned, held_out = lesson.part(slice(split)), lesson.part(slice(split, None))
    rng = np.random.default_rng(seed)
    model = fresh(rng, learned) if start is None else rebased(adapted(start, lesson), learned)
    learned = shown_trees(learned, rng)
    model = replace(model, trees=grow(learned, rng))
    held_out = replace(held_out, given=model.complete(held_out.given))
    rate, usual = (RATE, EPOCHS) if start is None else (RATE_AGAIN, EPOCHS_AGAIN)
    model = fit(model, learned, held_out, rate=rate, epochs=epochs or usual, rng=rng, deadline=deadline)
    metrics = measure(model, held_out, start)
    metrics = {"samples": float(len(lesson)), "held_out": float(len(held_out)), **metrics}
    model = replace(model, guard=guarded(model, held_out), learned_until=float(lesson.ended_at[-1]))
    if not descent.over(deadline):
        if start is None:  # else they know all but the few held out already
            model = replace(model, trees=grow(lesson, rng))
        model = fit(
            model, joined(learned, held_out), None, rate=RATE_LAST, epochs=EPOCHS_LAST, rng=rng, deadline=deadline
        )
    metrics["train_seconds"] = time.monotonic() - started
    return TrainedModel(model, metrics)


def prepare(examples: Collection[Example]) -> Lesson:
    """The features and targets of examples, in the order of their ends.

    Of the newest submits only short runs have ended; of the newest ends runs of every length are there.
    """
    examples = sorted(examples, key=lambda example: example.ended_at)
    starts = range(0, len(examples), CHUNK)
    chunks = [features.build([one.submission for one in examples[at : at + CHUNK]]) for at in starts]
    given = Features(*(np.concatenate([getattr(one, name) for one in chunks]) for name in Features.__slots__))
    runtimes = np.nan_to_num(floats([example.runtime_ms for example in examples]))
    failed = np.array([one.failed for one in examples], np.float32)
    return Lesson(given, log_milliseconds(runtimes), failed, floats([one.ended_at for one in examples]))


def held_out_count(lesson: Lesson, start: RuntimeModel | None) -> int:
    """How many of the newest examples are held out."""
    usual = max(1, round(HELD_OUT_SHARE * len(lesson)))
    if start is None:
        return usual
    new = int((lesson.ended_at > start.learned_until).sum())
    return max(1, min(usual, -(-new // 2)))


def grow(lesson: Lesson, rng: np.random.Generator) -> Trees:
    """Trees of all the examples."""
    return trees.fit(lesson.given.summary, lesson.log_ms - lesson.given.anchor, rng)


def shown_trees(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    """The examples with what trees that were grown without them say.

    A network that learned from trees that had seen the very run it must predict would trust them too much
    (stacked generalization: Wolpert 1992, https://doi.org/10.1016/S0893-6080(05)80023-1).
    """
    x, target = lesson.given.summary, lesson.log_ms - lesson.given.anchor
    fold = np.arange(len(lesson)) * BLOCKS // len(lesson) % FOLDS
    said = np.zeros(len(lesson))
    for number in range(FOLDS):
        others = fold != number
        said[~others] = trees.fit(x[others], target[others], rng, count=FOLD_TREES).predict(x[~others])
    return replace(lesson, given=completed(lesson.given, said))


def joined(older: Lesson, newer: Lesson) -> Lesson:
    """One after the other."""
    given = Features(
        *(np.concatenate([getattr(older.given, name), getattr(newer.given, name)]) for name in Features.__slots__)
    )
    return Lesson(
        given,
        np.concatenate([older.log_ms, newer.log_ms]),
        np.concatenate([older.failed, newer.failed]),
        np.concatenate([older.ended_at, newer.ended_at]),
    )


def fresh(rng: np.random.Generator, learned: Lesson) -> RuntimeModel:
    """A model that has learned nothing yet but the scales of its inputs."""
    return RuntimeModel(network.init(rng), *scales(learned.given.summary), trees.none(), guard.none())


def scales(summary: Array) -> tuple[Array, Array]:
    """Mean and one over the standard deviation of every column of a summary (N, SUMMARIES)."""
    deviation = summary.std(axis=0)
    # A summary that never varied says nothing: its scale of zero keeps it out.
    scale = np.where(deviation > 1e-3, 1.0 / np.maximum(deviation, 1e-3), 0.0)
    return summary.mean(axis=0).astype(np.float32), scale.astype(np.float32)


def adapted(start: RuntimeModel, lesson: Lesson) -> RuntimeModel:
    """The same model with its range adapted by the examples it has not learned from."""
    new = lesson.part(slice(int(np.searchsorted(lesson.ended_at, start.learned_until, "right")), None))
    if not len(new):
        return start
    slack = guard.adapted(start.guard.slack, start.log_quantiles(new.given), new.log_ms)
    return replace(start, guard=replace(start.guard, slack=slack))


def rebased(start: RuntimeModel, learned: Lesson) -> RuntimeModel:
    """The same model with its inputs scaled as the learned examples ask for; its weights make up for that."""
    mean, scale = scales(learned.given.summary)
    params = descent.copy(start.params)
    own = params["w_head"][-network.INPUTS :][: len(mean)]
    params["b_head"] += ((mean - start.summary_mean) * start.summary_scale) @ own
    own *= np.where(scale > 0, start.summary_scale / np.where(scale > 0, scale, 1.0), 0.0)[:, None].astype(own.dtype)
    return replace(start, params=params, summary_mean=mean, summary_scale=scale)


def fit(
    model: RuntimeModel,
    learned: Lesson,
    held_out: Lesson | None,
    *,
    rate: float,
    epochs: int,
    rng: np.random.Generator,
    deadline: float | None,
) -> RuntimeModel:
    """Descend; with held-out examples, stop by them."""
    batch = model.batch(learned.given)
    target = (learned.log_ms - learned.given.anchor).astype(np.float32)

    def take(rows: NDArray[np.intp]) -> tuple[network.Batch, Array, Array]:
        return batch.take(rows), target[rows], learned.failed[rows]

    def judge(params: Params) -> float:
        assert held_out is not None
        output = replace(model, params=params).output(held_out.given)
        return network.pinball(output.quantiles, held_out.log_ms - held_out.given.anchor)[0]

    params = descent.fit(
        model.params,
        take,
        len(learned),
        rate=rate,
        epochs=epochs,
        rng=rng,
        judge=None if held_out is None else judge,
        deadline=deadline,
    )
    return replace(model, params=params)


def guarded(model: RuntimeModel, held_out: Lesson) -> Guard:
    return guard.fit(model.output(held_out.given).quantiles, held_out.given, held_out.log_ms, model.guard.slack)


def measure(model: RuntimeModel, held_out: Lesson, current: RuntimeModel | None) -> Metrics:
    """Every figure: the guard chosen on the older half of the held-out examples, all measured on the newer half."""
    middle = len(held_out) // 2
    chosen, scored = held_out.part(slice(middle)), held_out.part(slice(middle, None))
    model = replace(model, guard=guarded(model, chosen if middle else scored))
    output = model.output(scored.given)
    quantiles = model.guard.apply(output.quantiles, scored.given)
    metrics: Metrics = scoring.score(quantiles, output.failure, scored.given, scored.log_ms, scored.failed)
    if current is not None:
        metrics["current"] = scoring.errors(current.log_quantiles(scored.given)[:, 1], scored.log_ms)
    return metrics
