"""Fit an organisation's runtime model to its own runs, and use it where it is better than simple predictors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from jobs.models import ModelVersion
from jobs.queue import sql
from orgs.models import Org
from predictor.train import LogRow, Metrics, TrainedModel, examples_from_log, train
from predictor.weights import dump

LOCK_SPACE = 0x5351
# What a model must beat to be used: each of these, by mean |log2(predicted / actual)| over the held-out runs.
BASELINES = ("ewma", "last_two", "type_median")


@dataclass(frozen=True, slots=True)
class Training:
    """What came of it. `version` is None when nothing was stored; `active` says whether it is used from now on."""

    org: str
    runs: int
    metrics: Metrics
    beats_baselines: bool
    version: int | None = None
    active: bool = False


class TooFewRuns(Exception):
    """There is not enough to learn from, let alone to measure with."""

    def __init__(self, org: Org, runs: int) -> None:
        super().__init__(f"{org.slug}: {runs} runs, at least {settings.TRAIN_MIN_RUNS} needed; nothing was trained")


class AlreadyTraining(Exception):
    """Another process is at it: its model will be as good."""

    def __init__(self, org: Org) -> None:
        super().__init__(f"{org.slug}: another training is under way; nothing was trained")


def train_org(org: Org, *, max_seconds: float | None = None, dry_run: bool = False) -> Training:
    """Train on the organisation's newest runs, store the model, and use it if it beats every simple predictor.

    Nothing is stored in a dry run. Raises TooFewRuns or AlreadyTraining.
    """
    with alone(org):
        examples = examples_from_log(runs_to_learn(org))
        if len(examples) < settings.TRAIN_MIN_RUNS:
            raise TooFewRuns(org, len(examples))
        trained = train(examples, max_seconds=max_seconds or settings.TRAIN_MAX_SECONDS)
        better = beats_baselines(trained.metrics)
        version = None if dry_run else store(org, trained, samples=len(examples), activate=better)
    return Training(org.slug, len(examples), trained.metrics, better, version, better and version is not None)


def runs_to_learn(org: Org) -> list[LogRow]:
    """The organisation's own newest runs, and no other's, in the order of their submits."""
    rows = sql.run("runs_to_learn", org_id=org.pk, bound=settings.TRAIN_MAX_RUNS)
    return [
        LogRow(
            submitted_at=row.submitted_at,
            ended_at=row.ended_at,
            type=row.type,
            name=row.name,
            user=row.username,
            payload_bytes=row.payload_bytes,
            runtime_ms=row.runtime_ms,
            failed=row.failed,
        )
        for row in rows
    ]


def beats_baselines(metrics: Metrics) -> bool:
    """Whether the error on the held-out runs is below that of every simple predictor."""
    return all(malr(metrics) < malr(metrics, name) for name in BASELINES)


def malr(metrics: Metrics, of: str | None = None) -> float:
    """Mean |log2(predicted / actual)| of the model, or of the simple predictor named."""
    found = metrics if of is None else metrics[of]
    assert isinstance(found, dict)
    value = found["malr"]
    assert isinstance(value, float)
    return value


def store(org: Org, trained: TrainedModel, *, samples: int, activate: bool) -> int:
    """Keep the model as the next version; only the newest few are kept, and the one in use."""
    models = ModelVersion.objects.for_org(org)
    with transaction.atomic():
        version = (models.aggregate(newest=Max("version"))["newest"] or 0) + 1
        if activate:
            models.filter(active=True).update(active=False)
        ModelVersion.objects.create(
            org=org,
            version=version,
            weights=dump(trained.model),
            samples=samples,
            metrics=trained.metrics,
            active=activate,
        )
        models.filter(active=False, version__lte=version - settings.MODEL_VERSIONS_KEPT).delete()
    return version


@contextmanager
def alone(org: Org, space: int = LOCK_SPACE) -> Iterator[None]:
    """Keep other trainings of the organisation away. Raises AlreadyTraining.

    A lock of the session, for a transaction as long as a training would keep vacuum from its work.
    """
    (lock,) = sql.run("begin_training", space=space, org_id=org.pk)
    if not lock.mine:
        raise AlreadyTraining(org)
    try:
        yield
    finally:
        sql.run("end_training", space=space, org_id=org.pk)
