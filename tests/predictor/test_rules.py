import pytest

from predictor.rules import better, due

GOOD = {"malr": 0.5} | {name: {"malr": 0.6} for name in ("ewma", "last_two", "type_median", "current")}


@pytest.mark.parametrize(
    ("now", "at_last", "expected"),
    [(199, 0, False), (200, 0, True), (399, 200, False), (400, 200, True), (5_499, 5_000, False), (5_500, 5_000, True)],
)
def test_a_training_is_due_after_two_hundred_runs_or_a_tenth_more(now: int, at_last: int, expected: bool) -> None:
    assert due(now, at_last) is expected


@pytest.mark.parametrize("rival", ["ewma", "last_two", "type_median", "current"])
def test_a_model_must_beat_each_rival(rival: str) -> None:
    assert better(GOOD)
    assert not better(GOOD | {rival: {"malr": 0.5}})


def test_the_first_model_has_no_current_one_to_beat() -> None:
    assert better({name: value for name, value in GOOD.items() if name != "current"})
