"""How an organisation's model does: what is in use, how near it came lately, and when it is trained again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet, Sum
from django.db.models.functions import Now

from jobs.active_model import current_model
from jobs.models import Accuracy, Learning, ModelVersion
from orgs.models import Org
from orgs.removed_names import without_actors

SUMS = ("runs", "log2_error", "log2_bias", "within_2x", "ranged", "in_range")
STATES = ACTIVE, DRIFTING, NONE, BROKEN = "active", "drifting", "none", "broken"


@dataclass(frozen=True, slots=True)
class Recent:
    """Over the runs of the last hours that the model in use predicted; None where there were none."""

    hours: int
    runs: int
    malr: float | None
    bias: float | None
    within_2x: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Health:
    state: str
    active: ModelVersion | None
    learning: Learning
    recent: Recent

    @property
    def runs_since_training(self) -> int:
        return self.learning.runs - self.learning.trained_runs

    @property
    def runs_until_training(self) -> int:
        """As begin_training.sql counts; 0 when it is due."""
        known = min(self.learning.trained_runs, settings.TRAIN_MAX_RUNS)
        between = max(settings.TRAIN_AFTER_RUNS, settings.TRAIN_AFTER_PERCENT * known // 100)
        return max(between - self.runs_since_training, settings.TRAIN_MIN_RUNS - self.learning.runs, 0)


def shown_versions(rows: QuerySet[ModelVersion]) -> list[ModelVersion]:
    """As they may be seen, without their weights: who promoted them may have been removed since."""
    return without_actors(rows.defer("weights"), "promoted_by")


def health(org: Org) -> Health:
    active = next(iter(shown_versions(ModelVersion.objects.for_org(org).filter(active=True))), None)
    drifting = Q(worse_since__lte=Now() - timedelta(seconds=settings.DRIFT_SECONDS))
    learning = (
        Learning.objects.filter(org_id=org.pk)
        .annotate(drifting=ExpressionWrapper(drifting, output_field=BooleanField()))
        .first()
    )
    if active is None:
        state = NONE
    elif current_model(org) is None:
        state = BROKEN
    else:
        state = DRIFTING if learning is not None and learning.drifting else ACTIVE
    return Health(state, active, learning or Learning(org_id=org.pk), recent(org, active))


def recent(org: Org, active: ModelVersion | None) -> Recent:
    since = Now() - timedelta(hours=settings.DRIFT_HOURS)
    of_model = Accuracy.objects.filter(org_id=org.pk, hour__gt=since, model_version=active.version if active else -1)
    sums: dict[str, Any] = of_model.aggregate(**{name: Sum(name, default=0) for name in SUMS})
    runs = sums["runs"]
    return Recent(
        hours=settings.DRIFT_HOURS,
        runs=runs,
        malr=sums["log2_error"] / runs if runs else None,
        bias=sums["log2_bias"] / runs if runs else None,
        within_2x=sums["within_2x"] / runs if runs else None,
        coverage=sums["in_range"] / sums["ranged"] if sums["ranged"] else None,
    )
