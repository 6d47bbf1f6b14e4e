"""The bridge to the predictor at submit: how long will this job take? It never fails and never waits.

Chain: the organisation's model over the job's own history -> own history alone -> the median of the
organisation's runs of the type -> settings.DEFAULT_PREDICTED_MS. A model that raises, answers nonsense or takes longer
than PREDICT_SECONDS is not asked again for MODEL_REST_SECONDS; the chain goes on below it.
"""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings
from django.db import Error, connection, transaction
from django.utils import timezone

from jobs.active_model import LoadedModel, current_model
from jobs.deadline import Overdue, within
from jobs.queue import sql
from orgs.models import Org
from predictor.memory import Memory, remember
from predictor.runtime import Prediction, Submission

log = logging.getLogger(__name__)

MAX_MS = 7 * 24 * 3600 * 1000.0
# How many kinds of job are looked at for the median of a type.
MEDIAN_KINDS = 50
# What a bulk call may take longer for each of its jobs: thirty times what it takes where nothing else runs.
SECONDS_EACH = 0.001
# How many answers are kept of each kind.
SAID_KEPT = 1_000


class Kind(NamedTuple):
    """Jobs that are predicted together."""

    type: str
    name: str


class History(NamedTuple):
    """The last runs of a kind, oldest first."""

    runtimes_ms: Sequence[float]
    gaps_seconds: Sequence[float]
    failed: Sequence[bool]


class Asked(NamedTuple):
    """What is known of a job before it is stored."""

    type: str
    name: str
    payload_bytes: int

    @property
    def kind(self) -> Kind:
        return Kind(self.type, self.name)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Predicted runtime in milliseconds, with the range p10 to p90 where the model gives one."""

    ms: float
    low_ms: float | None
    high_ms: float | None
    # model, history, type_median or default
    source: str
    model_version: int | None = None


def estimate(org: Org, *, type: str, name: str, payload_bytes: int, user: str) -> Estimate:
    """For one job."""
    return estimate_many(org, [Asked(type, name, payload_bytes)], user=user)[0]


def estimate_many(org: Org, asked: Sequence[Asked], *, user: str) -> list[Estimate]:
    """For many in one matrix call and at most three queries; falls back instead of raising."""
    try:
        with unspoilt():
            known = past(org, asked)
            model = current_model(org) if any(one.history for one in known.values()) else None
    except Error:
        log.exception("estimates fall back to the default")
        return [default() for _ in asked]
    # often few of a call differ in anything that matters here
    alike = list(dict.fromkeys(asked))
    estimates = {one: without_model(known[one.kind]) for one in alike}
    if model is not None and not model.resting:
        estimates |= with_model(model, alike, known, user)
    return [estimates[one] for one in asked]


def with_model(
    model: LoadedModel, asked: Sequence[Asked], known: "dict[Kind, Known]", user: str
) -> dict[Asked, Estimate]:
    """What the model says of those with a history. While that is fresh, it is asked once of what is alike."""
    now = timezone.now()
    hour = now.hour + now.minute / 60
    estimates: dict[Asked, Estimate] = {}
    new: dict[Asked, Submission] = {}
    for one in asked:
        past_of_kind = known[one.kind]
        if found := past_of_kind.said.get((model.version, one.payload_bytes, user, hour)):
            estimates[one] = found
        elif past_of_kind.history:
            new[one] = submission(one, past_of_kind.history, user, hour)
    predictions = predict(model, list(new.values())) if new else []
    for one, prediction in zip(new, predictions, strict=False):
        low, middle, high = (clamp(ms) for ms in (prediction.low_ms, prediction.ms, prediction.high_ms))
        estimates[one] = Estimate(middle, low, high, "model", model.version)
        known[one.kind].keep((model.version, one.payload_bytes, user, hour), estimates[one])
    return estimates


def predict(loaded: LoadedModel, submissions: list[Submission]) -> list[Prediction]:
    """The model's answers; none of them, and the model rests, when it failed in any way."""
    try:
        limit = settings.PREDICT_SECONDS + SECONDS_EACH * len(submissions)
        predictions = within(limit, lambda: loaded.model.predict(submissions))
        if len(predictions) == len(submissions) and all(map(usable, predictions)):
            return predictions
        log.error("the model's answers are unusable; it rests", extra={"version": loaded.version})
        loaded.rest()
    except Overdue as overdue:
        log.error("the model took too long; it rests", extra={"version": loaded.version})
        loaded.rest(overdue.thread)
    except Exception:
        log.exception("the model failed; it rests", extra={"version": loaded.version})
        loaded.rest()
    return []


def usable(prediction: Prediction) -> bool:
    return all(math.isfinite(ms) and ms > 0 for ms in (prediction.ms, prediction.low_ms, prediction.high_ms))


def without_model(known: "Known") -> Estimate:
    if known.history is not None and known.history.runtimes_ms:
        return Estimate(clamp(recent_average(known.history.runtimes_ms)), None, None, "history")
    if known.median is not None:
        return Estimate(clamp(known.median), None, None, "type_median")
    return default()


def default() -> Estimate:
    return Estimate(settings.DEFAULT_PREDICTED_MS, None, None, "default")


def recent_average(runtimes_ms: Sequence[float]) -> float:
    """Geometric mean that weighs each older run half: run times are spread over powers of ten."""
    total = weight_sum = 0.0
    for age, ms in enumerate(reversed(runtimes_ms)):
        weight = 0.5**age
        total += weight * math.log(max(ms, 1.0))
        weight_sum += weight
    return math.exp(total / weight_sum)


def clamp(ms: float) -> float:
    return min(max(ms, 1.0), MAX_MS) if math.isfinite(ms) else settings.DEFAULT_PREDICTED_MS


@contextmanager
def unspoilt() -> Iterator[None]:
    """In a transaction a savepoint: a query that fails must not spoil the caller's."""
    if connection.in_atomic_block:
        with transaction.atomic():
            yield
    else:
        yield


@dataclass(frozen=True, slots=True)
class Known:
    """What the past says of a kind: its own runs, or the median of its type, or neither."""

    history: History | None = None
    median: float | None = None
    # What the model said of jobs of the kind, by all that it was told beside the history.
    said: dict[tuple[int, int, str, float], Estimate] = field(default_factory=dict)

    def keep(self, circumstances: tuple[int, int, str, float], estimate: Estimate) -> None:
        if len(self.said) >= SAID_KEPT:
            self.said.clear()
        self.said[circumstances] = estimate


# By organisation and kind, until when it is fresh: a burst of one kind asks once.
_known: dict[tuple[int, Kind], tuple[float, Known]] = {}
KNOWN_KEPT = 20_000


def past(org: Org, asked: Sequence[Asked]) -> dict[Kind, Known]:
    """What these kinds took before, and the medians of the types of those that were never seen."""
    now = time.monotonic()
    kinds = {one.kind for one in asked}
    known = {kind: found[1] for kind in kinds if (found := _known.get((org.pk, kind))) and now < found[0]}
    if unknown := sorted(kinds - known.keys()):
        known |= read_past(org, unknown)
        if len(_known) > KNOWN_KEPT:
            _known.clear()
        fresh_until = now + settings.HISTORY_FRESH_SECONDS
        _known.update({(org.pk, kind): (fresh_until, known[kind]) for kind in unknown})
    return known


def read_past(org: Org, kinds: Sequence[Kind]) -> dict[Kind, Known]:
    histories: dict[Kind, History] = {}
    medians: dict[str, float] = {}
    for type, name, runtimes_ms, gaps_seconds, failed, median in sql.rows(
        "known_kinds",
        org_id=org.pk,
        types=[kind.type for kind in kinds],
        names=[kind.name for kind in kinds],
        bound=MEDIAN_KINDS,
    ):
        if name is not None:
            histories[Kind(type, name)] = History(runtimes_ms, gaps_seconds, failed)
        elif median is not None:
            medians[type] = median
    return {kind: Known(histories.get(kind), None if kind in histories else medians.get(kind.type)) for kind in kinds}


def submission(one: Asked, history: History, user: str, hour: float) -> Submission:
    memory: Memory | None = None
    ended = 0.0
    for ms, gap, failed in zip(history.runtimes_ms, history.gaps_seconds, history.failed, strict=False):
        ended += gap
        memory = remember(memory, runtime_ms=ms, ended=ended, failed=failed, keep_runs=True)
    return Submission(
        type=one.type,
        name=one.name,
        user=user,
        payload_bytes=one.payload_bytes,
        at=hour * 3600.0,
        memories=(None, memory, None, None, None),
    )
