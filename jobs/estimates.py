"""The bridge to the predictor at submit: how long will this job take? It never fails and never waits.

Chain: the organisation's model -> what is remembered of runs of its kind, shrunk towards its user's, its type's and
its organisation's -> settings.DEFAULT_PREDICTED_MS. A model that raises, answers nonsense or takes longer than
PREDICT_SECONDS is not asked again for MODEL_REST_SECONDS; the chain goes on below it.
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

from jobs.active_model import LoadedModel, current_model, first_guesses
from jobs.deadline import Overdue, within
from jobs.memories import person, places, recall
from orgs.models import Org, User
from predictor.memory import Memory, typical_failure, typical_ms
from predictor.runtime import Prediction, Submission

log = logging.getLogger(__name__)

MAX_MS = 7 * 24 * 3600 * 1000.0
# What a bulk call may take longer for each of its jobs: thirty times what it takes where nothing else runs.
SECONDS_EACH = 0.001
# How many answers are kept of each kind.
SAID_KEPT = 1_000


# A type and a name: jobs that are predicted together.
Kind = tuple[str, str]


class Asked(NamedTuple):
    """What is known of a job before it is stored."""

    type: str
    name: str
    payload_bytes: int
    # What the caller expects it to take: the timeout that he gave it, if he did.
    requested_ms: float | None = None

    @property
    def kind(self) -> Kind:
        return self[:2]


class Estimate(NamedTuple):
    """Predicted runtime in milliseconds, with the range p10 to p90 and the chance of a failure where runs are known."""

    ms: float
    low_ms: float | None
    high_ms: float | None
    failure_probability: float | None
    # model, history (runs of its kind), similar (of its user, type or organisation) or default
    source: str
    model_version: int | None = None


def estimate(org: Org, asked: Asked, *, user: User | None) -> Estimate:
    """For one job."""
    return estimate_many(org, [asked], user=user)[0]


def estimate_many(org: Org, asked: Sequence[Asked], *, user: User | None) -> list[Estimate]:
    """For many in one matrix call and at most three queries; falls back instead of raising."""
    try:
        with unspoilt():
            known = past(org, asked, user)
            model = current_model(org) if any(one.seen for one in known.values()) else None
    except Error:
        log.exception("estimates fall back to the default")
        return [default() for _ in asked]
    # often few of a call differ in anything that matters here
    alike = {one: known[one.kind] for one in asked}
    estimates = {one: default() for one, of_kind in alike.items() if not of_kind.seen}
    for source in (model, first_guesses(org)):
        if len(estimates) < len(alike) and source is not None and not source.resting:
            missing = {one: of_kind for one, of_kind in alike.items() if one not in estimates}
            estimates |= answers(source, missing, user)
    return [estimates.get(one) or without_range(alike[one]) for one in asked]


def answers(model: LoadedModel, asked: "dict[Asked, Known]", user: User | None) -> dict[Asked, Estimate]:
    """What a model says, or nothing. While what it knows is fresh, it is asked once of what is alike."""
    at = timezone.now().timestamp()
    username = user.get_username() if user else ""
    estimates: dict[Asked, Estimate] = {}
    new: list[tuple[Asked, Known, Circumstances]] = []
    for one, known in asked.items():
        # all that an answer depends on beside what is remembered; the time by minutes
        circumstances = (model.version, one.payload_bytes, one.requested_ms, at // 60)
        if found := known.said.get(circumstances):
            estimates[one] = found
        else:
            new.append((one, known, circumstances))
    predictions = predict(model, [submission(one, known, username, at) for one, known, _ in new]) if new else []
    for (one, known, circumstances), prediction in zip(new, predictions, strict=False):
        estimates[one] = found = estimate_of(prediction, model, known)
        known.keep(circumstances, found)
    return estimates


Circumstances = tuple[int | None, int, float | None, float]


def submission(one: Asked, known: "Known", username: str, at: float) -> Submission:
    return Submission(one.type, one.name, username, one.payload_bytes, at, known.memories, one.requested_ms)


def estimate_of(prediction: Prediction, model: LoadedModel, known: "Known") -> Estimate:
    low, middle, high = clamp(prediction.low_ms), clamp(prediction.ms), clamp(prediction.high_ms)
    if model.version is None:
        # its network, never trained, knows nothing of failures
        return Estimate(middle, low, high, typical_failure(known.memories), known.source)
    return Estimate(middle, low, high, prediction.failure_probability, "model", model.version)


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
    ms, low, high, failure = prediction
    return 0 < ms < math.inf and 0 < low < math.inf and 0 < high < math.inf and 0 <= failure <= 1


def without_range(known: "Known") -> Estimate:
    """Where even the simplest model fails."""
    middle = clamp(typical_ms(known.memories, settings.DEFAULT_PREDICTED_MS))
    return Estimate(middle, None, None, typical_failure(known.memories), known.source)


def default() -> Estimate:
    return Estimate(settings.DEFAULT_PREDICTED_MS, None, None, None, "default")


def clamp(ms: float) -> float:
    if 1.0 <= ms <= MAX_MS:
        return ms
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
    """What is remembered of a user's jobs of a kind, in the order of predictor.memory.LEVELS."""

    memories: tuple[Memory | None, ...]
    # What models said of such jobs.
    said: dict[Circumstances, Estimate] = field(default_factory=dict)

    @property
    def seen(self) -> bool:
        return any(self.memories)

    @property
    def source(self) -> str:
        """Whose runs carry a guess: those of its kind, or only of what is similar."""
        return "history" if any(self.memories[:2]) else "similar"

    def keep(self, circumstances: Circumstances, estimate: Estimate) -> None:
        if len(self.said) >= SAID_KEPT:
            self.said.clear()
        self.said[circumstances] = estimate


# By organisation, person and kind, until when it is fresh: a burst of one kind asks once.
_known: dict[tuple[int, str, Kind], tuple[float, Known]] = {}
KNOWN_KEPT = 20_000


def past(org: Org, asked: Sequence[Asked], user: User | None) -> dict[Kind, Known]:
    """What is remembered of these kinds."""
    now = time.monotonic()
    who = person(user)
    kinds = {one.kind for one in asked}
    known = {kind: found[1] for kind in kinds if (found := _known.get((org.pk, who, kind))) and now < found[0]}
    if unknown := sorted(kinds - known.keys()):
        known |= read_past(org, unknown, user)
        if len(_known) > KNOWN_KEPT:
            _known.clear()
        fresh_until = now + settings.HISTORY_FRESH_SECONDS
        _known.update({(org.pk, who, kind): (fresh_until, known[kind]) for kind in unknown})
    return known


def forget() -> None:
    """Ask again at the next estimate (in tests and measurements)."""
    _known.clear()


def read_past(org: Org, kinds: Sequence[Kind], user: User | None) -> dict[Kind, Known]:
    wanted = {kind: places(user, *kind) for kind in kinds}
    found = recall(org, {place for each in wanted.values() for place in each})
    return {kind: Known(tuple(map(found.get, each))) for kind, each in wanted.items()}
