from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import pytest

from predictor import features
from predictor.features import CANDIDATES, LENGTH
from predictor.memory import Memory, Run, typical_ms
from tests.predictor.factories import NOTHING, make_submission, memories_of


def candidate(name: str, given: features.Features) -> float:
    return float(given.anchor[0] + given.candidates[0, CANDIDATES.index(name)])


def own(*runs: Run) -> tuple[Memory | None, ...]:
    """Memories in which only the own user_kind is known, with these newest runs."""
    known = memories_of(*(100.0 for _ in runs))[0]
    assert known is not None
    return (replace(known, recent=runs), *NOTHING[1:])


def test_candidates_are_the_simple_predictors_worked_out_by_hand() -> None:
    given = features.build([make_submission(memories=memories_of(100.0, 200.0, 800.0), requested_ms=5000.0)])

    logs = np.log([100.0, 200.0, 800.0])
    assert candidate("user_kind_0.5", given) == pytest.approx(logs @ [0.25, 0.5, 1.0] / 1.75, rel=1e-6)
    assert candidate("org_0.2", given) == pytest.approx(logs @ [0.64, 0.8, 1.0] / 2.44, rel=1e-6)
    assert candidate("last", given) == pytest.approx(np.log(800.0), rel=1e-6)
    assert candidate("last_two", given) == pytest.approx(np.log(500.0), rel=1e-6)
    assert candidate("median", given) == pytest.approx(np.log(200.0), rel=1e-6)
    assert candidate("requested", given) == pytest.approx(np.log(5000.0), rel=1e-6)


@pytest.mark.parametrize("levels", range(6))
def test_the_anchor_is_the_typical_runtime_of_the_memories(levels: int) -> None:
    known = (*NOTHING[:levels], *memories_of(100.0, 900.0, 400.0)[levels:])

    given = features.build([make_submission(memories=known)])

    assert given.anchor[0] == pytest.approx(log(typical_ms(known)))


def test_the_spread_is_wide_where_nothing_is_known_and_narrows_with_steady_runs() -> None:
    given = features.build(
        [make_submission(memories=m) for m in (NOTHING, memories_of(50.0), memories_of(*[50.0] * 9))]
    )

    assert given.spread[0] == given.spread[1] == pytest.approx(2.0)
    assert given.spread[2] < 0.1


def test_runs_of_the_kind_stand_in_where_the_user_has_none() -> None:
    known = memories_of(100.0, 200.0)

    stranger = features.build([make_submission(memories=(None, *known[1:]))])

    np.testing.assert_allclose(np.exp(stranger.steps[0, -2:, 1] * 4.0 + 9.0), [100.0, 200.0], rtol=1e-5)
    assert stranger.evidence.tolist() == [1]


def test_only_the_newest_runs_count() -> None:
    new = tuple(Run(100.0 + n, 1.0, False) for n in range(LENGTH))

    long, short = (
        features.build([make_submission(memories=own(*old, *new))]) for old in ((Run(9e9, 1.0, True),) * 3, ())
    )

    np.testing.assert_array_equal(long.steps, short.steps)


@pytest.mark.parametrize("odd", [None, float("nan"), float("-inf"), -1.0])
def test_a_run_without_a_usable_runtime_is_as_good_as_absent(odd: Any) -> None:
    good = Run(100.0, 0.0, False)

    given, between = (
        features.build([make_submission(memories=own(*runs))])
        for runs in ((Run(odd, 0.0, False), good), (good, Run(odd, 0.0, False)))
    )

    assert given.mask.tolist() == between.mask.tolist() == [[False] * (LENGTH - 1) + [True]]
    np.testing.assert_array_equal(given.steps, between.steps)
    assert candidate("median", given) == candidate("median", between) == pytest.approx(np.log(100.0), rel=1e-6)


@pytest.mark.parametrize("odd", [{"runs": None}, {"means": (float("nan"),) * 3}, {"last_ended": float("inf")}])
def test_a_memory_with_a_number_that_is_none_is_as_good_as_absent(odd: dict[str, Any]) -> None:
    known = own(Run(100.0, 0.0, False))[0]
    assert known is not None

    given = features.build([make_submission(memories=(replace(known, recent=(), **odd), *NOTHING[1:]))])

    assert given.anchor[0] == pytest.approx(log(2000.0))
    assert given.evidence.tolist() == [0]


def test_one_odd_submission_does_not_change_another() -> None:
    plain = make_submission()
    odd = make_submission(payload_bytes=10**400, at=float("nan"), requested_ms=-(10**400), memories=())

    alone, beside = features.build([plain]), features.build([odd, plain])

    np.testing.assert_array_equal(alone.summary[0], beside.summary[1])
    assert np.isfinite(beside.summary).all()
