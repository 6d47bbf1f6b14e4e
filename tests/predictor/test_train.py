from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from predictor.memory import Run
from predictor.train import Example, LogRow, TrainedModel, examples_from_log, prepare, rebased, train
from predictor.weights import dump
from tests.predictor.factories import make_example, make_log, make_submission, real_examples

SCORES = ("mdape", "malr", "within_2x")


@pytest.fixture(scope="module")
def synthetic() -> TrainedModel:
    return train(examples_from_log(make_log(3000)))


def malr(trained: TrainedModel, of: str | None = None) -> float:
    scores: Any = trained.metrics if of is None else trained.metrics[of]
    return float(scores["malr"])


def test_beats_every_simple_predictor_on_a_log_with_structure(synthetic: TrainedModel) -> None:
    best = min(malr(synthetic, name) for name in ("ewma", "last_two", "type_median"))

    assert malr(synthetic) < 0.9 * best


@pytest.mark.parametrize("seed", [0, 1])
def test_beats_the_type_median_and_the_mean_of_the_last_two_on_a_real_log(seed: int) -> None:
    trained = train(real_examples(), seed=seed)

    assert malr(trained) < malr(trained, "type_median")
    assert malr(trained) < malr(trained, "last_two")
    assert malr(trained) < malr(trained, "ewma")


def test_metrics_have_every_figure(synthetic: TrainedModel) -> None:
    metrics = synthetic.metrics

    assert metrics["samples"] == 3000
    assert metrics["held_out"] == 600
    assert 0.0 <= metrics["failure_brier"] < 0.25  # type: ignore[operator]
    assert 0.8 < metrics["spearman"] <= 1.0  # type: ignore[operator]
    assert 0.65 < metrics["p10_p90_coverage"] < 0.95  # type: ignore[operator]
    assert metrics["train_seconds"] > 0  # type: ignore[operator]
    for scores in (metrics, metrics["ewma"], metrics["last_two"], metrics["type_median"]):
        assert isinstance(scores, dict)
        assert all(np.isfinite(scores[name]) for name in SCORES)


def test_the_same_seed_gives_the_same_model_and_another_does_not() -> None:
    examples = examples_from_log(make_log(300))

    first, again, other = (dump(train(examples, seed=seed, epochs=2).model) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_noise_alone_never_makes_it_much_worse_than_the_ewma() -> None:
    rng = np.random.default_rng(0)
    for count in (20, 100, 400):
        rows = [
            LogRow(t, t + 1.0, "http", f"job {t % 3}", "ada", 10, float(rng.lognormal(7.0, 1.0)), False)
            for t in range(0, 10 * count, 10)
        ]
        trained = train(examples_from_log(rows[: count // 2]))
        later = prepare(examples_from_log(rows)[count // 2 :])

        miss = np.abs(trained.model.log_quantiles(later.given)[:, 1] - later.log_ms).mean()
        assert miss <= 1.05 * np.abs(later.given.anchor - later.log_ms).mean()


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        train([make_example(100.0)] * 4)


def test_odd_runtimes_do_not_break_training() -> None:
    odd = [float("nan"), float("inf"), -5.0, 0.0, 1e300, 100.0] * 5

    trained = train([make_example(runtime, number) for number, runtime in enumerate(odd)], epochs=2)

    assert np.isfinite(trained.model.predict([make_submission()])[0].ms)


def test_going_on_from_the_model_in_use_measures_both_on_runs_new_to_both() -> None:
    examples = examples_from_log(make_log(1500))
    current = train(examples[:1000], epochs=4).model

    trained = train(examples, start=current)

    assert current.learned_until == max(example.ended_at for example in examples[:1000])
    later = sum(example.ended_at > current.learned_until for example in examples)
    assert trained.metrics["held_out"] == -(-later // 2)
    assert malr(trained, "current") > 0
    assert trained.model.learned_until == max(example.ended_at for example in examples)


def test_going_on_from_a_model_never_changes_it() -> None:
    examples = examples_from_log(make_log(600))
    current = train(examples[:300], epochs=2).model
    before = dump(current)

    train(examples, start=current, epochs=1)

    assert dump(current) == before


def test_scaling_the_inputs_anew_leaves_the_predictions_as_they_were() -> None:
    examples = examples_from_log(make_log(600))
    current = train(examples[:300], epochs=2).model
    submissions = [example.submission for example in examples[100:]]

    moved = rebased(current, prepare(examples[100:]))

    assert not np.array_equal(moved.summary_mean, current.summary_mean)
    # Inputs far out are clipped elsewhere; all others give what they gave.
    ratios = np.array(moved.predict(submissions))[:, 0] / np.array(current.predict(submissions))[:, 0]
    assert np.quantile(np.abs(ratios - 1.0), 0.75) < 0.01


def test_training_stops_at_its_deadline_with_a_usable_model() -> None:
    trained = train(examples_from_log(make_log(2000)), epochs=10_000, max_seconds=0.3)

    assert trained.metrics["train_seconds"] < 3.0  # type: ignore[operator]
    assert trained.model.predict([make_submission()])[0].ms > 0


def row(submitted: float, ended: float | None, ms: float | None = 1.0, name: str = "a", **more: Any) -> LogRow:
    return LogRow(submitted, ended, "http", name, "ada", 10, ms, more.get("failed", False))


def recent(example: Example) -> tuple[Run, ...]:
    own = example.submission.memories[0]
    return own.recent if own else ()


def test_history_holds_only_runs_that_had_ended_before_the_submit() -> None:
    examples = examples_from_log(
        [row(0, 50, 1.0), row(10, 20, 2.0), row(20, 30, 3.0), row(40, 60, 4.0), row(51, 52, 5.0)]
    )

    known = [[run.runtime_ms for run in recent(example)] for example in examples]

    # The third was submitted the moment the second ended, which is not before; order is that of the ends.
    assert known == [[], [], [], [2.0, 3.0], [2.0, 3.0, 1.0]]


def test_later_rows_never_change_an_example() -> None:
    rows = make_log(200)
    changed = rows[:100] + [late._replace(runtime_ms=1e6, failed=True) for late in rows[100:]]

    assert examples_from_log(rows)[:100] == examples_from_log(changed)[:100]


def test_runs_are_remembered_at_every_level_with_gaps_and_failures() -> None:
    examples = examples_from_log(
        [row(0, 1, failed=True), row(2, 3, name="b"), row(4, 5), row(6, 7)],
    )

    assert recent(examples[3]) == (Run(1.0, 0.0, True), Run(1.0, 4.0, False))
    assert recent(examples[1]) == ()
    assert [memory.runs if memory else 0 for memory in examples[1].submission.memories] == [0, 0, 1, 1, 1]


def test_rows_that_have_not_ended_teach_nothing() -> None:
    assert examples_from_log([row(0, None), row(1, 2, None), row(3, 4, float("nan"))]) == []


def test_rows_may_be_plain_tuples_with_datetimes() -> None:
    start, end = (datetime(2026, 1, 5, 6, minute, tzinfo=UTC) for minute in (30, 31))

    (example,) = examples_from_log([(start, end, "http", "a", "ada", 10, 60_000.0, False)])

    assert example.submission.at == start.timestamp()
    assert example.runtime_ms == 60_000.0


def test_rows_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="row 1"):
        examples_from_log([row(5, 6), row(4, 5)])
