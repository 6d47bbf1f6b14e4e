"""Rules that the leader watches for an organisation, and their alerts: one from when it began until it is over."""

from typing import Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.ids import uuid7
from orgs.models import Org, User


class AlertKind(models.TextChoices):
    """What a rule measures, in which unit its threshold is."""

    DEAD_LETTERS = "dead_letters"
    LATENCY = "latency"
    NO_WORKER = "no_worker"
    CRON_MISSED = "cron_missed"
    ERROR_RATE = "error_rate"


# What is counted over a time, rather than looked at.
COUNTED = {AlertKind.DEAD_LETTERS, AlertKind.CRON_MISSED, AlertKind.ERROR_RATE}


class AlertQuerySet(models.QuerySet["AlertRule"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class AlertRule(models.Model):
    """Raise an alert when what is measured reaches the threshold; it is over when it has been well below for a time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=12)
    # Empty: whichever is worst.
    queue = models.CharField(max_length=40, blank=True)
    threshold = models.FloatField()
    window_seconds = models.IntegerField(default=600)
    settle_seconds = models.IntegerField(default=120)
    is_paused = models.BooleanField(default=False)
    # Whom it tells; null: each that is to be told of alerts.
    subscribers: "models.Field[list[UUID] | None, list[UUID] | None]" = ArrayField(models.UUIDField(), null=True)
    # By the leader: what it measured last, and since when that is well below while an alert is open.
    seen_value = models.FloatField(null=True)
    seen_at = models.DateTimeField(null=True)
    quiet_since = models.DateTimeField(null=True)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], name="alertrule_name_uniq"),
            models.CheckConstraint(condition=Q(kind__in=AlertKind.values), name="alertrule_kind_valid"),
            models.CheckConstraint(condition=Q(threshold__gt=0), name="alertrule_threshold_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.kind} from {self.threshold:g}"


class Alert(models.Model):
    """One incident of a rule, as the rule was then. The database allows a rule one that is open."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org_id = models.BigIntegerField()
    # No constraint: the log outlives its rule.
    rule_id = models.UUIDField()
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=12)
    queue = models.CharField(max_length=40, blank=True)
    threshold = models.FloatField()
    value = models.FloatField()
    worst = models.FloatField()
    # Where: names of queues or schedules.
    told = models.CharField(max_length=500, blank=True)
    raised_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True)
    # settled, or that a person paused, changed or removed its rule.
    cleared_why = models.CharField(max_length=8, blank=True)
    deliveries: "models.Field[list[UUID], list[UUID]]" = ArrayField(models.UUIDField(), default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule_id"], condition=Q(cleared_at__isnull=True), name="alert_one_open_per_rule"
            )
        ]
        # read backwards for the newest first
        indexes = [models.Index(fields=["org_id", "id"], name="alert_list_idx")]

    def __str__(self) -> str:
        return f"{self.name} since {self.raised_at:%F %T}"
