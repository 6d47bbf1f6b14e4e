import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor import features, levels
from predictor.features import CANDIDATES, HISTORY_LENGTH
from predictor.runtime import Run
from tests.predictor.factories import make_submission

ROOT = Path(__file__).parents[2]
NOTHING = levels.none_known(7.0)


def candidate(name: str, given: features.Features) -> float:
    return float(given.anchor[0] + given.candidates[0, CANDIDATES.index(name)])


def test_candidates_are_the_simple_predictors_worked_out_by_hand() -> None:
    runs = (Run(100.0, 0.0, False), Run(200.0, 5.0, True), Run(800.0, 5.0, False))

    given = features.build([make_submission(history=runs)], NOTHING)

    logs = np.log([100.0, 200.0, 800.0])
    assert candidate("ewma", given) == pytest.approx(logs @ [0.25, 0.5, 1.0] / 1.75)
    assert candidate("slow_ewma", given) == pytest.approx(logs @ [0.64, 0.8, 1.0] / 2.44)
    assert candidate("last", given) == pytest.approx(np.log(800.0), rel=1e-6)
    assert candidate("last_two", given) == pytest.approx(np.log(500.0), rel=1e-6)
    assert candidate("median", given) == pytest.approx(np.log(200.0), rel=1e-6)


def test_without_history_the_anchor_is_the_most_specific_median_known() -> None:
    known = make_submission(type="etl", name="load", user="bob", history=())
    table = levels.measure(features.level_keys([known] * 3), np.log([10.0, 20.0, 40.0]))

    same_type = features.build([make_submission(type="etl", history=())], table)
    stranger = features.build([make_submission(history=())], NOTHING)

    assert same_type.anchor[0] == pytest.approx(np.log(20.0))
    assert stranger.anchor[0] == 7.0
    assert not stranger.candidates.any()


def test_only_the_newest_runs_count() -> None:
    old = tuple(Run(9e9, 1.0, True) for _ in range(5))
    new = tuple(Run(100.0 + n, 1.0, False) for n in range(HISTORY_LENGTH))

    long = features.build([make_submission(history=old + new)], NOTHING)
    short = features.build([make_submission(history=new)], NOTHING)

    np.testing.assert_array_equal(long.steps, short.steps)


@pytest.mark.parametrize("odd", [None, float("nan"), float("inf"), -1.0])
def test_a_run_without_a_usable_runtime_is_as_good_as_absent(odd: Any) -> None:
    good = Run(100.0, 0.0, False)

    given = features.build([make_submission(history=(Run(odd, 0.0, False), good))], NOTHING)
    between = features.build([make_submission(history=(good, Run(odd, 0.0, False)))], NOTHING)

    assert given.mask.sum() == between.mask.sum() == 1
    assert given.anchor[0] == between.anchor[0] == pytest.approx(np.log(100.0))


def test_words_of_a_name_are_shared_and_numbers_are_one_word() -> None:
    one, two = (features.build([make_submission(name=name)], NOTHING).slots[0] for name in ("Sync 17", "sync-99"))

    assert one[2] != two[2]
    assert one[3:].tolist() == two[3:].tolist()


def test_hashes_do_not_change_between_processes() -> None:
    asked = "from predictor.levels import stable_hash; print(stable_hash('type', 'http'))"

    answers = {
        int(
            subprocess.run(
                [sys.executable, "-c", asked], env={"PYTHONHASHSEED": seed}, cwd=ROOT, check=True, capture_output=True
            ).stdout
        )
        for seed in ("1", "2")
    }

    # The number itself is in stored weights: when it changes, so must weights.FORMAT_VERSION.
    assert answers == {16190622212870821868}


def test_snapshots_know_only_the_blocks_before() -> None:
    submissions = [make_submission(name=f"job {n % 2}") for n in range(40)]
    log_ms = np.arange(40.0)

    medians, counts, fallback = levels.snapshots(features.level_keys(submissions), log_ms, 5.0, blocks=4)

    assert np.isnan(medians[:10]).all()
    assert (fallback[:10] == 5.0).all()
    assert counts[10, levels.LEVELS.index("type")] == 10
    assert medians[39, levels.LEVELS.index("type")] == np.median(np.arange(30.0))


@pytest.mark.parametrize("rows", range(1, 13))
def test_snapshots_of_a_log_shorter_than_its_blocks_know_nothing_of_their_own_row(rows: int) -> None:
    submissions = [make_submission() for _ in range(rows)]

    medians, _, fallback = levels.snapshots(features.level_keys(submissions), np.arange(float(rows)), -1.0, blocks=10)

    assert fallback[0] == -1.0
    assert all(np.isnan(medians[n]).all() or (medians[n] < n).all() for n in range(rows))


def test_a_level_keeps_only_the_most_frequent_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "LEVEL_CAPACITY", 2)
    keys = np.repeat(np.array([[5], [6], [7]], np.uint64), 4, axis=1)[[0, 1, 1, 2, 2, 2]]

    kept = levels.measure(keys, np.zeros(6)).levels[0]

    assert kept.keys.tolist() == [6, 7]
    assert kept.counts.tolist() == [2, 3]
