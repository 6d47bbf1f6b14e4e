"""Jobs waiting, in order. Hot and narrow: enqueue, promote and replay insert; a claim deletes."""

from django.db import models
from django.db.models import Q


class Ready(models.Model):
    """A queued job's place in the order. The lowest rank is claimed first."""

    job_id = models.UUIDField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    type = models.CharField(max_length=32)
    rank = models.FloatField()
    queued_at = models.DateTimeField()
    attempt = models.IntegerField()
    predicted_ms = models.FloatField()
    # Held back (its queue is paused): outside the claim index, so that claims need not scan past it.
    held = models.BooleanField(default=False)
    # Among the reasons is that its kind is paused. Then it is held too, and stays so when its queue goes on.
    kind_held = models.BooleanField(default=False, db_default=False)
    # Null for a job without limits, which is claimed in order of rank alone; else its key, or empty without one.
    limit_key = models.CharField(max_length=64, null=True)

    class Meta:
        indexes = [
            # Each type is its own run of the index, so a slow one never hides another.
            models.Index(
                fields=["queue", "type", "rank", "job_id"],
                condition=Q(held=False, limit_key__isnull=True),
                name="ready_order_idx",
            ),
            # Of each limited key its own run, so that a full one is passed in one step.
            models.Index(
                fields=["queue", "type", "org_id", "limit_key", "rank", "job_id"],
                condition=Q(held=False, limit_key__isnull=False),
                name="ready_limited_idx",
            ),
            # What workers of an organisation's own take: it alone, however much waits for others.
            models.Index(
                fields=["org_id", "queue", "rank", "job_id"],
                condition=Q(type="external", held=False, limit_key__isnull=True),
                name="ready_external_idx",
            ),
            models.Index(fields=["queue", "org_id"], condition=Q(held=True), name="ready_held_idx"),
            # What goes on when a queue or an organisation does.
            models.Index(
                fields=["queue", "org_id"], condition=Q(held=True, kind_held=False), name="ready_freeable_idx"
            ),
            # Since when the oldest of an organisation waits.
            models.Index(fields=["org_id", "queued_at"], name="ready_waiting_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.rank}"
