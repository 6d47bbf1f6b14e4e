"""How well a trace is predicted in open loop: a run is known from the moment that it would have ended, had it not waited."""

import heapq
import math
import time
from dataclasses import dataclass

import numpy as np

from jobs.simulation.trace import Row, Trace
from predictor import scoring
from predictor.features import Submission
from predictor.online import Ended, Learner
from predictor.runtime import Prediction

# Of the trace, which nothing is scored on.
WARM_UP = 0.1
# The type of all jobs of a trace: a kind is a name of it.
TYPE = "trace"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of medians beside what the jobs took, and what a prediction costs with its features."""

    mdape: float
    malr: float
    within_2x: float
    spearman: float
    p10_p90_coverage: float
    us_per_prediction: float


def open_loop(trace: Trace, seed: int = 0) -> Accuracy:
    """Over all but the first tenth of a trace of two jobs or more."""
    learner, ends = Learner(seed), list[tuple[float, int, Submission]]()
    predictions: list[Prediction] = []
    spent = 0.0
    for place, row in enumerate(trace.rows):
        while ends and ends[0][0] <= row.submit_s:
            tell(learner, trace, *heapq.heappop(ends))
        began = time.perf_counter()
        submission = submitted(learner, row, trace.starts_at + row.submit_s)
        predictions += learner.predict([submission])
        spent += time.perf_counter() - began
        heapq.heappush(ends, (row.submit_s + row.runtime_s, place, submission))
    return scored(predictions, trace.rows, spent / len(trace.rows) * 1e6)


def tell(learner: Learner, trace: Trace, at: float, place: int, submission: Submission) -> None:
    runtime_ms = trace.rows[place].runtime_s * 1000.0
    learner.ended(Ended(submission, ended=trace.starts_at + at, runtime_ms=runtime_ms))


def submitted(learner: Learner, row: Row, at: float) -> Submission:
    """A job of a trace, submitted `at` seconds after the epoch."""
    return learner.submission(
        type=TYPE,
        name=row.kind,
        user=row.tenant,
        payload_bytes=row.size,
        at=at,
        requested_ms=None if row.requested_s is None else row.requested_s * 1000.0,
    )


def scored(predictions: list[Prediction], rows: tuple[Row, ...], us_per_prediction: float) -> Accuracy:
    first = math.floor(len(rows) * WARM_UP)
    predicted = np.log([[one.low_ms, one.ms, one.high_ms] for one in predictions[first:]])  # (N, 3)
    actual = np.log([row.runtime_s * 1000.0 for row in rows[first:]])
    errors = scoring.errors(predicted[:, 1], actual)
    return Accuracy(
        **errors,
        spearman=scoring.spearman(predicted[:, 1], actual),
        p10_p90_coverage=scoring.coverage(predicted[:, 0], predicted[:, 2], actual),
        us_per_prediction=us_per_prediction,
    )
