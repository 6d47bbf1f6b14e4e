"""What each part of the predictor adds: the same training with one part hidden."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from predictor import features, scoring
from predictor.examples import LogRow, examples_from_log
from predictor.features import Features
from predictor.memory import LEVELS
from predictor.train import Lesson, learn, prepare

LEARNED = 0.6  # of the runs, by their ends; the rest is predicted, without another training


def ablation(rows: list[LogRow]) -> dict[str, dict[str, float]]:
    """Errors with everything, and with each part hidden from training and prediction."""
    lesson = prepare(examples_from_log(rows))
    split = round(LEARNED * len(lesson))
    found = {}
    for name, hide in HIDDEN.items():
        shown = replace(lesson, given=hide(lesson.given))
        found[name] = errors(shown.part(slice(split)), shown.part(slice(split, None)))
    return found


def errors(learned: Lesson, later: Lesson) -> dict[str, float]:
    """Of the whole, and of the network alone, without trees and guard."""
    model = learn(learned).model
    given = model.complete(later.given)
    network = given.anchor + model.output(given).quantiles[:, 1]
    whole = scoring.errors(model.guard.apply(model.output(given).quantiles, given)[:, 1], later.log_ms)
    return {
        **{name: round(value, 4) for name, value in whole.items()},
        "network_malr": round(scoring.errors(network, later.log_ms)["malr"], 4),
    }


def without_sequence(given: Features) -> Features:
    return replace(given, mask=np.zeros_like(given.mask))


def without_step(number: int) -> Callable[[Features], Features]:
    """One input of every step of the sequence, hidden."""

    def hide(given: Features) -> Features:
        steps = given.steps.copy()
        steps[:, :, number] = 0.0
        return replace(given, steps=steps)

    return hide


def without_names(given: Features) -> Features:
    return replace(given, slots=np.zeros_like(given.slots))


def without(*columns: str) -> Callable[[Features], Features]:
    """Columns of the summary and guesses, by the start of their names, hidden."""
    in_summary = [n for n, name in enumerate(features.SUMMARY) if name.startswith(columns)]
    among = [n for n, name in enumerate(features.CANDIDATES) if name.startswith(columns)]

    def hide(given: Features) -> Features:
        summary, candidates = given.summary.copy(), given.candidates.copy()
        summary[:, in_summary] = 0.0
        candidates[:, among] = 0.0
        return replace(given, summary=summary, candidates=candidates)

    return hide


HIDDEN: dict[str, Callable[[Features], Any]] = {
    "everything": lambda given: given,
    "without sequence": without_sequence,
    "sequence without gaps": without_step(2),
    "sequence without outcomes": without_step(3),
    "without hashed names": without_names,
    "without parent levels": without(*(f"{level}_" for level in LEVELS[1:])),
    "without requested": without("requested"),
    "without size and hour": without("size", "hour"),
}
