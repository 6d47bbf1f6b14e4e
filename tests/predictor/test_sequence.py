"""Patterns that only the sequence of runs can tell: with it the network predicts them, without it it cannot."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from predictor.train import LogRow, examples_from_log, learn, prepare

KINDS, ROWS = 12, 3600
# What comes next: pause in seconds, level in ln milliseconds above the kind's own, and whether it fails.
Next = Callable[[list[LogRow], list[float], np.random.Generator], tuple[float, float, bool]]


def in_turn(past: list[LogRow], levels: list[float], rng: np.random.Generator) -> tuple[float, float, bool]:
    """Four inputs in turn, short and long ones, now and then another."""
    known = levels[-4] if len(levels) > 3 and rng.random() > 0.05 else float(rng.normal())
    return 60.0, known, False


def after_a_failure(past: list[LogRow], levels: list[float], rng: np.random.Generator) -> tuple[float, float, bool]:
    """The third run after one that failed is short."""
    return 60.0, 0.0 if len(past) > 2 and past[-3].failed else 1.5, bool(rng.random() < 0.5)


def after_a_gap(past: list[LogRow], levels: list[float], rng: np.random.Generator) -> tuple[float, float, bool]:
    """What came two runs after a long pause is long."""
    gap = 60.0 if rng.random() < 0.6 else 3600.0
    paused = len(past) > 2 and float(past[-2].submitted_at) - float(past[-3].submitted_at) > 1000.0
    return gap, 1.5 if paused else 0.0, False


def make_pattern(following: Next) -> list[LogRow]:
    rng = np.random.default_rng(1)
    rows = []
    for kind in range(KINDS):
        now, base, past = 1_700_000_000.0 + kind, rng.normal(6.0, 1.0), list[LogRow]()
        levels: list[float] = []
        for _ in range(ROWS // KINDS):
            gap, level, failed = following(past, levels, rng)
            now += gap
            levels.append(level)
            ms = float(np.exp(base + level + rng.normal(0.0, 0.1)))
            past.append(LogRow(now, now + ms / 1000, "http", f"job {kind}", "ada", 10, ms, failed))
        rows += past
    return sorted(rows, key=lambda row: float(row.submitted_at))


@pytest.mark.parametrize("following", [in_turn, after_a_failure, after_a_gap])
def test_the_sequence_tells_what_the_summary_cannot(following: Next) -> None:
    lesson = prepare(examples_from_log(make_pattern(following)))
    blind = replace(lesson, given=replace(lesson.given, mask=np.zeros_like(lesson.given.mask)))

    seen, unseen = (
        learn(of.part(slice(3000)), epochs=40).model.log_quantiles(of.part(slice(3000, None)).given)[:, 1]
        for of in (lesson, blind)
    )

    miss, blind_miss = (np.abs(one - lesson.log_ms[3000:]).mean() for one in (seen, unseen))
    assert miss < 0.75 * blind_miss
