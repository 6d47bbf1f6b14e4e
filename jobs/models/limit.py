"""What an organisation allows at most: how many jobs at a time, and how many starts in a time."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from orgs.models import Org


class LimitScope(models.TextChoices):
    """What the jobs that share a limit have in common."""

    ORG = "org"
    QUEUE = "queue"
    TYPE = "type"
    KEY = "key"


# The name of the limit of a whole organisation; for keys: of each key that has no limit of its own.
EVERY = "*"


class LimitQuerySet(models.QuerySet["Limit"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Limit(models.Model):
    """Jobs of one organisation, queue, type or key: at most so many run at once, or start in a time, or both."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    scope = models.CharField(max_length=5, choices=LimitScope.choices)
    name = models.CharField(max_length=64)
    max_running = models.IntegerField(null=True)
    # A token bucket: so many starts per so many seconds, and after a rest up to `burst` at once.
    rate_count = models.IntegerField(null=True)
    rate_seconds = models.FloatField(null=True)
    burst = models.IntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = LimitQuerySet.as_manager()

    # Set by limit_control.with_use().
    running: int
    tokens: float | None

    class Meta:
        constraints = [
            # The name before the scope: whether any limit applies to a job is then one look at a few names.
            models.UniqueConstraint(fields=["org", "name", "scope"], name="limit_uniq"),
            models.CheckConstraint(condition=Q(scope__in=LimitScope.values), name="limit_scope_valid"),
            models.CheckConstraint(
                condition=(~Q(scope=LimitScope.ORG) | Q(name=EVERY))
                & (Q(scope__in=[LimitScope.ORG, LimitScope.KEY]) | ~Q(name=EVERY))
                & ~Q(name=""),
                name="limit_name_valid",
            ),
            models.CheckConstraint(
                condition=Q(max_running__isnull=False) | Q(rate_count__isnull=False), name="limit_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(max_running__isnull=True) | Q(max_running__gte=0), name="limit_max_running_valid"
            ),
            models.CheckConstraint(
                condition=Q(rate_count__isnull=True, rate_seconds__isnull=True, burst__isnull=True)
                | Q(rate_count__gte=1, rate_seconds__gt=0, burst__gte=1),
                name="limit_rate_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.name}"


class LimitBucket(models.Model):
    """The tokens left of a rate, of each key by itself. A bucket that is full has no row."""

    # No constraint: a claim need not fail when its limit is taken away at the same moment.
    limit = models.ForeignKey(Limit, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    # Empty where all jobs of the limit share one bucket.
    key = models.CharField(max_length=64, blank=True)
    tokens = models.FloatField()
    refilled_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["limit", "key"], name="limit_bucket_uniq")]

    def __str__(self) -> str:
        return f"{self.tokens} for {self.key}"


class LimitSweep(models.Model):
    """The limits of this organisation were changed: its waiting jobs are being marked anew, in order of queueing."""

    org = models.OneToOneField(Org, on_delete=models.CASCADE, related_name="+", primary_key=True)
    changed_at = models.DateTimeField()
    # How far it has come; null at the beginning.
    after_at = models.DateTimeField(null=True)
    after_id = models.UUIDField(null=True)
    first_pass = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"sweep of organisation {self.org_id}"
