"""Whether a trained model is better than what there is, and the sentence that says so."""

from typing import Any

import pytest

from jobs.models import ModelVersion
from jobs.training import judge

RIVALS = {"ewma": "ewma", "last_two": "last_two", "type_median": "type_median", "current": "version 4"}
BETTER: dict[str, Any] = {"malr": 0.5, "held_out": 20.0, **{name: {"malr": 0.6} for name in RIVALS}}


@pytest.mark.parametrize("rival", RIVALS)
def test_a_model_must_beat_each_simple_predictor_and_the_one_in_use(rival: str) -> None:
    verdict = judge({**BETTER, rival: {"malr": 0.5}}, ModelVersion(version=4))

    assert not verdict.better
    assert verdict.reason == f"kept back: 0.500 is no better than 0.500 of {RIVALS[rival]}"


def test_why_it_was_promoted_is_said_against_the_one_in_use() -> None:
    without_current = {name: found for name, found in BETTER.items() if name != "current"}
    cases = [
        (BETTER, ModelVersion(version=4), "promoted: 0.500 against 0.600 of version 4"),
        (without_current, None, "promoted: 0.500 against 0.600 of ewma"),
        (
            without_current,
            ModelVersion(version=4),
            "promoted: 0.500 against 0.600 of ewma; version 4 cannot be read",
        ),
    ]

    for metrics, active, reason in cases:
        assert judge(metrics, active).reason == reason


def test_a_few_new_runs_show_nothing() -> None:
    verdict = judge({**BETTER, "held_out": 19.0}, ModelVersion(version=4))

    assert not verdict.better
    assert verdict.reason == "kept back: 19 new runs are too few to measure it with"
