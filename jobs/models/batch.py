"""Jobs that belong together, counted as they end, with a job that is called when they have."""

from typing import Any, Self

from django.db import models
from django.db.models import Count, F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from jobs.ids import uuid7
from jobs.models.dependency import Ending
from orgs.models import Org, User


class BatchQuerySet(models.QuerySet["Batch"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)

    def with_counts(self) -> Self:
        """Annotate `ended_done`, `ended_failed` and `ended_cancelled`: exact, with the ends not counted yet."""
        return self.annotate(
            ended_done=F("done") + uncounted("done"),
            ended_failed=F("failed") + uncounted("failed") - uncounted("replayed"),
            ended_cancelled=F("cancelled") + uncounted("cancelled"),
        )


def uncounted(status: str) -> Coalesce:
    ends = Ending.objects.filter(batch_id=OuterRef("pk"), status=status).order_by()
    counted = ends.values("batch_id").annotate(jobs=Count("pk")).values("jobs")
    return Coalesce(Subquery(counted, output_field=models.IntegerField()), 0)


class Batch(models.Model):
    """A group of jobs, all enqueued with it. The counts are kept from Ending, a little later than the jobs end."""

    SUCCESS, END = "success", "end"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=64, blank=True)
    total = models.IntegerField()
    done = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    correlation_id = models.CharField(max_length=128)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    created_at = models.DateTimeField()
    # When the last of its jobs ended; null again while one of them is replayed.
    finished_at = models.DateTimeField(null=True)

    # The fields of a NewJob, and when it is enqueued: once all are done, or once all have ended.
    callback: "models.JSONField[dict[str, Any] | None, dict[str, Any] | None]" = models.JSONField(null=True)
    callback_when = models.CharField(max_length=7, blank=True)
    # Set by the statement that counts the last end, null again when the callback is enqueued.
    callback_due_at = models.DateTimeField(null=True)
    callback_job_id = models.UUIDField(null=True)
    # Why the callback could not be enqueued: its type is no longer served, say.
    callback_error = models.CharField(max_length=200, blank=True)

    # The caller's, for a day; and what must be alike for a repeat to be a repeat.
    idempotency_key = models.CharField(max_length=255, null=True)
    fingerprint = models.CharField(max_length=64, null=True)

    objects = BatchQuerySet.as_manager()

    # Set by with_counts().
    ended_done: int
    ended_failed: int
    ended_cancelled: int

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(callback_when="", callback__isnull=True)
                | models.Q(callback_when__in=["success", "end"], callback__isnull=False),
                name="batch_callback_has_condition",
            ),
            models.UniqueConstraint(
                fields=["org", "idempotency_key"],
                condition=models.Q(idempotency_key__isnull=False),
                name="batch_idempotency_uniq",
            ),
        ]
        indexes = [
            models.Index(fields=["org", "-id"], name="batch_list_idx"),
            models.Index(
                fields=["callback_due_at"],
                condition=models.Q(callback_due_at__isnull=False),
                name="batch_callback_due_idx",
            ),
            models.Index(fields=["finished_at"], name="batch_age_idx"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(idempotency_key__isnull=False),
                name="batch_idempotency_age_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.pk}"
