"""Jobs that are submitted again and again, by cron; and each time that was done."""

from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.ids import uuid7
from orgs.models import Org, User


class Missed(models.TextChoices):
    """What becomes of the times that passed while nobody led."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Schedule(models.Model):
    """A job to submit whenever a cron expression is due. The leader moves `next_at` in the transaction of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=64)
    cron = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    missed = models.CharField(max_length=4, choices=Missed.choices, default=Missed.ONCE)
    is_paused = models.BooleanField(default=False)
    # Of the pause there is: since when, by whom and why.
    paused_at = models.DateTimeField(null=True)
    paused_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    pause_reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    # What a submit would send: the fields of NewJob.
    job: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()
    # When it is due; null while it is paused, and when it never is.
    next_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    # Why the last time brought no job, or nothing.
    last_error = models.TextField(blank=True)
    # One more with each change by a person: what If-Match names.
    version = models.IntegerField(default=1)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "name"], name="schedule_name_uniq"),
            models.CheckConstraint(condition=Q(missed__in=Missed.values), name="schedule_missed_valid"),
            models.CheckConstraint(
                condition=Q(is_paused=False) | Q(next_at__isnull=True), name="schedule_paused_is_not_due"
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="schedule_due_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.cron}"


class ScheduleTick(models.Model):
    """One time that a schedule was due, and what came of it. The database allows no second."""

    FIRED, MISSED, REFUSED = "fired", "missed", "refused"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="ticks", db_index=False)
    at = models.DateTimeField()
    outcome = models.CharField(max_length=7)
    # No constraint: the job may be deleted when it is old.
    job_id = models.UUIDField(null=True)
    error = models.TextField(blank=True)
    fired_at = models.DateTimeField()
    # Of the leader who did it.
    epoch = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "at"], name="schedule_tick_once"),
            models.CheckConstraint(
                condition=Q(outcome="fired", job_id__isnull=False)
                | Q(outcome__in=["missed", "refused"], job_id__isnull=True),
                name="schedule_tick_outcome_valid",
            ),
        ]
        indexes = [models.Index(fields=["fired_at"], name="schedule_tick_age_idx")]

    def __str__(self) -> str:
        return f"{self.at}: {self.outcome}"
