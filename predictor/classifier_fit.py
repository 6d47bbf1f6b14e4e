"""Fits a classifier to labelled texts, from none to some ten thousand."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from predictor import calibration, linear, softmax, text, word_rules
from predictor.calibration import Calibration
from predictor.classification import Classifier
from predictor.linear import Linear
from predictor.priors import URGENCIES, Base
from predictor.scoring import macro_f1
from predictor.softmax import Head
from predictor.sparse import Floats, Places
from predictor.text import Counts, Text

MOST_EXAMPLES = 20_000  # the newest are learned from
# Bytes of an organisation's weights at the most: features kept are this over two bytes a label.
LARGEST_WEIGHTS = 6 << 20
MOST_FEATURES = 1 << 16
RARE_FROM = 2000  # examples from which a feature of a single text is not worth keeping
# Per head: strength of the prior on weights, and how far rare labels are weighed up (1: all labels weigh the same).
CATEGORY_PENALTY, CATEGORY_BALANCE = 1 / 20, 0.5
URGENCY_PENALTY, URGENCY_BALANCE = 1 / 3, 1.0
# Opinions of urgency contradict each other: only many of them are followed closely. From here on the penalty falls.
PENALTY_UNTIL = 1000  # examples
# Labels at which the rules, and a base model, weigh half of what they do without any.
RULES_HALF, BASE_HALF = 50.0, 200.0
STEPS = 25
FEWEST_HELD_OUT = 8  # examples below which none are held out
FOLDS_UNTIL = 1500  # examples; from here on one part is held out, once
FOLDS, HELD_OUT_SHARE = 4, 0.15
CALIBRATION_TIME = 0.5  # of max_seconds, at most
USUAL = (Calibration(1.0, 0.0), Calibration(1.0, 0.7))
LEANS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)


class Labelled(NamedTuple):
    """A text with what a person said of it; None where nothing was said."""

    text: Text
    category: str | None
    urgency: str | None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A classifier and its measures on texts it had not learned from when they were taken."""

    classifier: Classifier
    metrics: dict[str, float]


@dataclass(frozen=True, slots=True)
class Examples:
    """N labelled texts as numbers, with what speaks for each label before anything is learned."""

    counts: Counts
    category: Places  # (N,), -1 for none
    urgency: Places  # (N,), -1 for none
    offset: Floats  # (N, labels + 3)

    def __len__(self) -> int:
        return len(self.category)

    def take(self, rows: Places) -> "Examples":
        """The same for some, in ascending order."""
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.counts.texts] >= 0
        counts = Counts(
            place[self.counts.texts[kept]], self.counts.features[kept], self.counts.counts[kept], np.zeros(0, np.intp)
        )
        return Examples(counts, self.category[rows], self.urgency[rows], self.offset[rows])


def fit(
    examples: Sequence[Labelled],
    labels: Sequence[str],
    base: Classifier | None,
    seed: int = 0,
    max_seconds: float | None = None,
) -> Fitted:
    """A classifier of these labels (distinct, at least one) and of URGENCIES.

    Learns from the newest MOST_EXAMPLES, the last ones; a category that is none of labels counts as not given. The same
    examples and seed give the same classifier unless max_seconds cuts it short. A base that was itself fitted on a base
    stands for that one. Metrics: `examples`, `categories`, `urgencies` (how many had one), `held_out`, and of the
    held-out ones `accuracy`, `macro_f1`, `calibration_error`, `urgency_accuracy`, `urgency_macro_f1`,
    `urgency_calibration_error`, and `fit_seconds`. Raises ValueError for labels that are none.
    """
    examples = examples[-MOST_EXAMPLES:]
    known = sum(example.category in labels or example.urgency in URGENCIES for example in examples)
    return fit_with(
        examples,
        labels,
        _base(base),
        base_weight=1.0 / (1.0 + known / BASE_HALF),
        rules_weight=1.0 / (1.0 + known / RULES_HALF),
        seed=seed,
        max_seconds=max_seconds,
    )


def fit_with(
    examples: Sequence[Labelled],
    labels: Sequence[str],
    base: Base | None,
    *,
    base_weight: float,
    rules_weight: float,
    seed: int = 0,
    max_seconds: float | None = None,
) -> Fitted:
    """`fit` with given weights of the priors."""
    if not labels or len(set(labels)) < len(labels):
        raise ValueError("labels must be distinct, and at least one")
    started = time.monotonic()
    blank = Classifier(
        tuple(labels),
        linear.empty(len(labels) + len(URGENCIES)),
        base,
        base_weight,
        rules_weight,
        USUAL,
        np.zeros(len(labels) + len(URGENCIES), np.float32),
    )
    given = _numbers(examples, blank)
    deadline = None if max_seconds is None else started + CALIBRATION_TIME * max_seconds
    held_out, scores = _held_out(given, len(labels), np.random.default_rng(seed), deadline)
    calibrated = replace(blank, log_shares=_log_shares(given, len(labels)))
    calibrated = replace(calibrated, calibrations=_calibrate(held_out, scores, calibrated.log_shares))
    metrics = {"examples": float(len(given)), "held_out": float(len(held_out))}
    metrics |= {"categories": float((given.category >= 0).sum()), "urgencies": float((given.urgency >= 0).sum())}
    metrics |= _measure(calibrated, held_out, scores)
    own = _learn(given, len(labels), None if max_seconds is None else started + max_seconds)
    metrics["fit_seconds"] = time.monotonic() - started
    return Fitted(replace(calibrated, own=own), metrics)


def _base(base: Classifier | None) -> Base | None:
    if base is None:
        return None
    temperatures = (base.calibrations[0].temperature, base.calibrations[1].temperature)
    return base.base or Base(base.labels, base.own, temperatures)


def _numbers(examples: Sequence[Labelled], blank: Classifier) -> Examples:
    words = [text.words_of(example.text) for example in examples]
    counts, offsets, start = [], [np.zeros((0, len(blank.log_shares)), np.float32)], 0
    for part in text.batches(words):
        found = text.count(text.occurrences(words[part]))
        size = len(words[part])
        ruled = blank.ruled(words[part], [word_rules.hits(one) for one in words[part]])
        offsets.append(blank.prior(found, size) + ruled)
        counts.append(replace(found, texts=found.texts + start))
        start += size
    joined = Counts(
        np.concatenate([part.texts for part in counts]),
        np.concatenate([part.features for part in counts]),
        np.concatenate([part.counts for part in counts]),
        np.zeros(0, np.intp),
    )
    places = {label: place for place, label in enumerate(blank.labels)}
    category = np.array([places.get(example.category or "", -1) for example in examples], np.intp)
    urgency = np.array([_urgency(example.urgency) for example in examples], np.intp)
    return Examples(joined, category, urgency, np.concatenate(offsets))


def _urgency(urgency: str | None) -> int:
    return URGENCIES.index(urgency) if urgency in URGENCIES else -1


def _learn(given: Examples, labels: int, deadline: float | None) -> Linear:
    columns = labels + len(URGENCIES)
    if not len(given):
        return linear.empty(columns)
    capacity = min(MOST_FEATURES, LARGEST_WEIGHTS // (2 * columns))
    vocabulary = linear.measure(given.counts, len(given), 2 if len(given) >= RARE_FROM else 1, capacity)
    entries = vocabulary.look_up(given.counts)
    urgency_penalty = URGENCY_PENALTY * min(1.0, PENALTY_UNTIL / len(given)) ** 0.5
    heads = (
        _head(given.category, given.offset[:, :labels], CATEGORY_PENALTY, CATEGORY_BALANCE),
        _head(given.urgency, given.offset[:, labels:], urgency_penalty, URGENCY_BALANCE),
    )
    problem = softmax.problem(
        len(given), len(vocabulary.features), entries.texts, entries.columns, entries.values, heads
    )
    start = np.zeros((len(vocabulary.features) + 1, columns), np.float32)
    weights = softmax.fit(problem, start, steps=STEPS, deadline=deadline)
    # In half precision, as they are kept: what is measured is then what is used after a reload.
    halves = weights[:-1].astype(np.float16).astype(np.float32)
    return Linear(vocabulary, halves, weights[-1])


def _head(target: Places, offset: Floats, penalty: float, balance: float) -> Head:
    sizes = np.bincount(target[target >= 0], minlength=offset.shape[1])
    weight = np.where(target >= 0, np.maximum(sizes, 1.0)[target] ** -balance, 0.0)
    total = weight.sum()
    # On average 1, so that the penalty means the same whatever the balance.
    scaled = weight * ((target >= 0).sum() / total) if total else weight
    return Head(target, scaled.astype(np.float32), offset, penalty)


def _log_shares(given: Examples, labels: int) -> Floats:
    def of(target: Places, kinds: int) -> Floats:
        sizes = np.bincount(target[target >= 0], minlength=kinds) + 1.0
        shares: Floats = np.log(sizes / sizes.sum()).astype(np.float32)
        return shares

    return np.concatenate([of(given.category, labels), of(given.urgency, len(URGENCIES))])


def _parts(rows: int, rng: np.random.Generator) -> Iterator[tuple[Places, Places]]:
    """What to learn from and what to hold out: in turn while there are few, once when there are many."""
    if rows < FEWEST_HELD_OUT:
        return
    order = rng.permutation(rows)
    parts = np.array_split(order, FOLDS) if rows <= FOLDS_UNTIL else [order[: int(HELD_OUT_SHARE * rows)]]
    for part in parts:
        yield np.setdiff1d(order, part), np.sort(part)


def _held_out(
    given: Examples, labels: int, rng: np.random.Generator, deadline: float | None
) -> tuple[Examples, Floats]:
    """Examples and their scores by models that did not learn from them."""
    rows, scores = [np.zeros(0, np.intp)], [np.zeros((0, given.offset.shape[1]), np.float32)]
    for learned, held in _parts(len(given), rng):
        if deadline is not None and time.monotonic() > deadline:
            break
        part = given.take(held)
        model = _learn(given.take(learned), labels, deadline)
        rows.append(held)
        scores.append(model.scores(model.vocabulary.look_up(part.counts), len(part)) + part.offset)
    order = np.argsort(np.concatenate(rows))
    return given.take(np.sort(np.concatenate(rows))), np.concatenate(scores)[order]


def _calibrate(held_out: Examples, scores: Floats, log_shares: Floats) -> tuple[Calibration, Calibration]:
    split = scores.shape[1] - len(URGENCIES)

    def of(target: Places, part: slice, leans: tuple[float, ...], usual: Calibration) -> Calibration:
        rows = target >= 0
        return calibration.fit(scores[rows, part], target[rows], log_shares[part], leans, usual)

    return (
        of(held_out.category, slice(split), (0.0,), USUAL[0]),
        of(held_out.urgency, slice(split, None), LEANS, USUAL[1]),
    )


def _measure(classifier: Classifier, held_out: Examples, scores: Floats) -> dict[str, float]:
    logs = classifier.category_logs(scores)
    urgency_logs = classifier.urgency_logs(scores)
    measured = _head_metrics("", held_out.category, logs, logs.argmax(axis=1))
    return measured | _head_metrics("urgency_", held_out.urgency, urgency_logs, classifier.urgencies(scores))


def _head_metrics(prefix: str, target: Places, logs: Floats, chosen: Places) -> dict[str, float]:
    rows = np.flatnonzero(target >= 0)
    if not len(rows):
        return {}
    right = (chosen[rows] == target[rows]).astype(np.float32)
    return {
        f"{prefix}accuracy": float(right.mean()),
        f"{prefix}macro_f1": macro_f1(chosen[rows], target[rows]),
        f"{prefix}calibration_error": calibration.error(np.exp(logs[rows, chosen[rows]]), right),
    }
