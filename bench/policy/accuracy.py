"""How near the predicted runtimes are: python -m bench.policy.accuracy [TRACE ...].

Every predictor over every trace, open loop, retrained by the rules of the product; what each part of ours adds; the
first job of a user and kind; and what a prediction and a training cost. Scored are the last nine tenths of a trace.
"""

import json
import os
import platform
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import results
from bench.policy import traces
from bench.policy.ablation import ablation
from bench.policy.replay import Replay, Replayed
from predictor import scoring
from predictor.examples import LogRow, examples_from_log, seconds
from predictor.history import Floats
from predictor.train import train
from predictor.weights import dump

NAME = "policy-accuracy"
WARM_UP = 0.1  # of a trace: not scored
SIMPLE = ("type_median", "last_two", "ewma")
TRAINING_RUNS = 100_000
SINGLES, BATCH, ROUNDS = 300, 1_000, 20


def main() -> None:
    report = measure(traces.paths())
    results.write(NAME, report)
    print(json.dumps(report, indent=2))


def measure(paths: list[Path]) -> dict[str, Any]:
    """Everything, as one object for JSON."""
    logs = {traces.name_of(path): traces.read(path) for path in paths}
    report: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        # First: the memory of the process only ever grows.
        "costs": costs(next(iter(logs.values()))),
        "traces": {name: table(rows) for name, rows in logs.items()},
        "ablation": {name: ablation(rows) for name, rows in logs.items()},
    }
    return report | {"goals": goals(report["traces"])}


def table(rows: list[LogRow]) -> dict[str, Any]:
    """The figures of every predictor on one trace."""
    started = time.perf_counter()
    done = Replay(rows).run()
    scored = slice(round(WARM_UP * len(rows)), None)
    cold = np.flatnonzero(done.first[scored]) + round(WARM_UP * len(rows))
    return {
        "jobs": len(rows),
        "trained": done.trained,
        "promoted": done.promoted,
        "seconds": round(time.perf_counter() - started, 1),
        "predictors": {name: figures(said[scored], done.actual[scored]) for name, said in done.said.items()},
        "p10_p90_coverage": coverage(done, scored),
        "first_of_user_kind": {name: figures(said[cold], done.actual[cold]) for name, said in done.said.items()},
    }


def figures(said: Floats, actual: Floats) -> dict[str, float]:
    both = {**scoring.errors(said, actual), "spearman": scoring.spearman(said, actual)}
    return {name: round(value, 4) for name, value in both.items()}


def coverage(done: Replayed, scored: slice) -> float:
    return round(scoring.coverage(done.low[scored], done.high[scored], done.actual[scored]), 4)


def goals(tables: dict[str, Any]) -> dict[str, Any]:
    """Our mean |log2 ratio| beside that of others."""
    malr = {name: {who: of["malr"] for who, of in one["predictors"].items()} for name, one in tables.items()}
    to_trees = {name: round(of["ours"] / of["trees"], 4) for name, of in malr.items()}
    to_simple = {name: round(of["ours"] / min(of[who] for who in SIMPLE), 4) for name, of in malr.items()}
    return {
        "ratio_to_trees": to_trees,
        "ratio_to_best_simple": to_simple,
        "ratio_to_best_simple_mean": round(float(np.exp(np.mean(np.log(list(to_simple.values()))))), 4),
        "ratio_to_ewma_median": round(float(np.median([of["ours"] / of["ewma"] for of in malr.values()])), 4),
        "ratio_to_last_two_median": round(float(np.median([of["ours"] / of["last_two"] for of in malr.values()])), 4),
    }


def costs(rows: list[LogRow]) -> dict[str, float]:
    """Of a training of TRAINING_RUNS runs, and of predictions one by one and in a batch, on this machine."""
    many = repeated(rows, TRAINING_RUNS)
    started = time.perf_counter()
    examples = examples_from_log(many)
    replayed = time.perf_counter()
    model = train(examples).model
    trained = time.perf_counter()
    jobs = [example.submission for example in examples[-BATCH:]]
    singles = [least(lambda job=job: model.predict([job]), 3) for job in jobs[:SINGLES]]
    return {
        "training_runs": len(examples),
        "examples_seconds": round(replayed - started, 1),
        "training_seconds": round(trained - replayed, 1),
        "megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "weights_kilobytes": round(len(dump(model)) / 1024),
        "single_us": round(float(np.median(singles)) * 1e6, 1),
        "batch_us_each": round(least(lambda: model.predict(jobs), ROUNDS) / len(jobs) * 1e6, 2),
    }


def repeated(rows: list[LogRow], count: int) -> list[LogRow]:
    """The log again and again, each time later, until there are count rows."""
    span = seconds(rows[-1].submitted_at) - seconds(rows[0].submitted_at) + 1.0
    longer = []
    for number in range(count):
        turn, row = number // len(rows) * span, rows[number % len(rows)]
        assert row.ended_at is not None
        longer.append(
            row._replace(submitted_at=seconds(row.submitted_at) + turn, ended_at=seconds(row.ended_at) + turn)
        )
    return longer


def least(call: Any, times: int) -> float:
    """The least of some measurements, in seconds: what the call takes where nothing else runs."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return min(taken)


if __name__ == "__main__":
    main()
