"""Acts over many jobs: what was asked, how far it has come, and what became of each job."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from jobs.ids import uuid7
from orgs.models import Org, User


class BulkState(StrEnum):
    """Where a bulk operation is. One that is pending can be undone, one that runs be stopped."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    UNDONE = "undone"


OPEN = (BulkState.PENDING, BulkState.RUNNING)


class BulkOutcomeWord(StrEnum):
    """What became of one job."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class BulkOperationQuerySet(models.QuerySet["BulkOperation"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class BulkOperation(models.Model):
    """One act over all jobs that match a filter, or over a list of them; the leader does it batch by batch."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    # One of jobs.queue.bulk_kinds.KINDS.
    kind = models.CharField(max_length=16)
    # As it was asked, in the words of the list; and as jobs.listing.Filters, with all that moves with the clock fixed.
    query: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    filter: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    # Instead of a filter.
    job_ids: "ArrayField[list[UUID] | None, list[UUID] | None]" = ArrayField(models.UUIDField(), null=True)
    # Of the kind: {"urgency": …}, {"queue": …} or {"tag": …}.
    parameters: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    reason = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    # Of the key that asked for it, if one did: it acts with no more than that key may.
    key_prefix = models.CharField(max_length=16, blank=True)

    state = models.CharField(max_length=8, default=BulkState.PENDING)
    # At the dry run; null where that took too long, and no more than was looked for where `matched_more`.
    matched = models.IntegerField(null=True)
    matched_more = models.BooleanField(default=False)
    done = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    # Jobs that came, or failed, after this are not swept in.
    until = models.DateTimeField()
    # How far it has come: the last id that was looked at, or how many of `job_ids`.
    after = models.UUIDField(null=True)
    position = models.IntegerField(default=0)
    # Jobs a second; null: as fast as it goes.
    rate = models.FloatField(null=True)
    # Not before this; until then it can be undone.
    start_at = models.DateTimeField()
    # When its next batch is due.
    next_at = models.DateTimeField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # Why it ended before all was done.
    ended_because = models.CharField(max_length=200, blank=True)

    objects = BulkOperationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=sorted(BulkState)), name="bulkoperation_state_valid"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, ended_at__isnull=True) | (~Q(state__in=OPEN) & Q(ended_at__isnull=False)),
                name="bulkoperation_ended_at_when_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["org", "id"], name="bulkoperation_newest_idx"),
            models.Index(fields=["next_at"], condition=Q(state__in=OPEN), name="bulkoperation_due_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def handled(self) -> int:
        return self.done + self.skipped + self.failed

    @property
    def per_second(self) -> float | None:
        """How fast it went, or goes; None before there is something to tell."""
        if self.started_at is None or not self.handled:
            return None
        end: datetime = self.ended_at or self.next_at
        return self.handled / max((end - self.started_at).total_seconds(), 0.1)

    @property
    def seconds_left(self) -> float | None:
        """What it has still to do, as fast as it goes; None where that is not known."""
        speed = self.per_second
        if self.state != BulkState.RUNNING or speed is None or self.matched is None or self.matched_more:
            return None
        return max(self.matched - self.handled, 0) / speed


class BulkOutcome(models.Model):
    """What became of one job. Of each word no more than KEPT of an operation are kept."""

    KEPT = 10_000

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    operation_id = models.UUIDField()
    job_id = models.UUIDField()
    outcome = models.CharField(max_length=7)
    words = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["operation_id", "id"], name="bulkoutcome_operation_idx")]

    def __str__(self) -> str:
        return f"{self.job_id} {self.outcome}"


class BulkHold(models.Model):
    """A job that an operation is going to act on soon: no worker takes it until then, so that it can be undone."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    operation_id = models.UUIDField()
    job_id = models.UUIDField()
    # It is to be deleted, so lists do not show it any more.
    hides = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job_id", "operation_id"], name="bulkhold_uniq")]
        indexes = [models.Index(fields=["operation_id"], name="bulkhold_operation_idx")]

    def __str__(self) -> str:
        return f"{self.job_id} by {self.operation_id}"
