"""Fit an organisation's runtime model to its own runs, and use it where it is better than what there is."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q

from jobs.active_model import read_model
from jobs.errors import IllegalMove
from jobs.models import Learning, ModelVersion
from jobs.queue import sql
from jobs.queue.versions import switch
from orgs.models import Org
from predictor.rules import BASELINES, better
from predictor.train import LogRow, Metrics, TrainedModel, examples_from_log, train
from predictor.weights import dump

LOCK_SPACE = 0x5351
# On fewer runs that are new to both, a model is better than the one in use by chance.
FEWEST_HELD_OUT = 20

# What the version is stored in: the command's plain transaction, or one that is the leader's as long as it leads.
Transaction = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model is better than what there is, and a sentence that says so."""

    better: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Training:
    """What came of it. `version` is None when nothing was stored; `active` says whether it is used from now on."""

    org: str
    runs: int
    metrics: Metrics
    verdict: Verdict
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


def train_org(
    org: Org,
    *,
    max_seconds: float | None = None,
    dry_run: bool = False,
    source: str = "command",
    stored_in: Transaction = transaction.atomic,
) -> Training:
    """Train on the organisation's newest runs, from the weights in use on, and store the model; use it if it is better.

    That is: on the held-out runs, the newest, its error is below that of the model in use and of every simple
    predictor. Nothing is stored in a dry run. Raises TooFewRuns or AlreadyTraining.
    """
    with alone(org):
        counted = Learning.objects.filter(org_id=org.pk).values_list("runs", flat=True).first() or 0
        examples = examples_from_log(runs_to_learn(org))
        if len(examples) < settings.TRAIN_MIN_RUNS:
            if not dry_run:
                with stored_in():
                    sql.run("trained", org_id=org.pk, runs=counted)
            raise TooFewRuns(org, len(examples))
        active = ModelVersion.objects.for_org(org).filter(active=True).first()
        loaded = read_model(active)
        trained = train(
            examples,
            max_seconds=max_seconds or settings.TRAIN_MAX_SECONDS,
            start=loaded.model if loaded is not None else None,
        )
        verdict = judge(trained.metrics, active)
        training = Training(org.slug, len(examples), trained.metrics, verdict)
        if dry_run:
            return training
        with stored_in():
            sql.run("trained", org_id=org.pk, runs=counted)
            return store(org, trained, training, source=source, active=active)


def runs_to_learn(org: Org) -> list[LogRow]:
    """The organisation's own newest runs, and no other's, in the order of their submits."""
    rows = sql.rows(
        "runs_to_learn", org_id=org.pk, bound=settings.TRAIN_MAX_RUNS, usual_timeout=settings.JOB_TIMEOUT_SECONDS
    )
    return [
        LogRow(
            submitted_at=submitted_at,
            ended_at=ended_at,
            type=type,
            name=name,
            user=username,
            payload_bytes=payload_bytes,
            runtime_ms=runtime_ms,
            failed=failed,
            requested_ms=requested_ms,
        )
        for submitted_at, ended_at, type, name, username, payload_bytes, runtime_ms, failed, requested_ms in rows
    ]


def judge(metrics: Metrics, active: ModelVersion | None) -> Verdict:
    """Whether the model is better than every simple predictor and the one in use, by their errors on the same runs."""
    ours = malr(metrics)
    rivals = {name: malr(metrics, name) for name in BASELINES}
    if active is not None and "current" in metrics:
        rivals[f"version {active.version}"] = malr(metrics, "current")
    best = min(rivals, key=lambda name: rivals[name])
    if "current" in metrics and number(metrics, "held_out") < FEWEST_HELD_OUT:
        return Verdict(False, f"kept back: {number(metrics, 'held_out'):.0f} new runs are too few to measure it with")
    if not better(metrics):
        return Verdict(False, f"kept back: {ours:.3f} is no better than {rivals[best]:.3f} of {best}")
    # the one in use, where there is one: it was put in last
    against = list(rivals)[-1] if "current" in metrics else best
    broken = f"; version {active.version} cannot be read" if active is not None and "current" not in metrics else ""
    return Verdict(True, f"promoted: {ours:.3f} against {rivals[against]:.3f} of {against}{broken}")


def malr(metrics: Metrics, of: str | None = None) -> float:
    """Mean |log2(predicted / actual)| of the model, or of the simple predictor named."""
    found = metrics if of is None else metrics[of]
    assert isinstance(found, dict)
    return number(found, "malr")


def number(metrics: Metrics | dict[str, float], name: str) -> float:
    value = metrics[name]
    assert isinstance(value, float)
    return value


def store(org: Org, trained: TrainedModel, training: Training, *, source: str, active: ModelVersion | None) -> Training:
    """Keep the model as the next version, and use it if it is better and no other was put into use meanwhile.

    The newest few are kept, the one in use, and the one before it.
    """
    models, verdict = ModelVersion.objects.for_org(org), training.verdict
    version = (models.aggregate(newest=Max("version"))["newest"] or 0) + 1
    ModelVersion.objects.create(
        org=org,
        version=version,
        weights=dump(trained.model),
        samples=training.runs,
        metrics=trained.metrics,
        source=source,
        trained_seconds=number(trained.metrics, "train_seconds"),
        reason=verdict.reason,
    )
    if verdict.better:
        try:
            switch(org, version, by=source, expected=active.version if active is not None else 0)
        except IllegalMove:
            verdict = Verdict(False, "kept back: another version was put into use while it was trained")
            models.filter(version=version).update(reason=verdict.reason)
    in_place = models.filter(active=True).values_list("version", "previous").first() or ()
    old = Q(version__lte=version - settings.MODEL_VERSIONS_KEPT)
    models.filter(old).exclude(version__in=[one for one in in_place if one is not None]).delete()
    return replace(training, verdict=verdict, version=version, active=verdict.better)


@contextmanager
def alone(org: Org, space: int = LOCK_SPACE) -> Iterator[None]:
    """Keep other trainings of the organisation away. Raises AlreadyTraining.

    A lock of the session, for a transaction as long as a training would keep vacuum from its work.
    """
    (lock,) = sql.run("lock_training", space=space, org_id=org.pk)
    if not lock.mine:
        raise AlreadyTraining(org)
    try:
        yield
    finally:
        sql.run("unlock_training", space=space, org_id=org.pk)
