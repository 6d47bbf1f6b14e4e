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
    attempt = models.PositiveIntegerField()
    predicted_ms = models.FloatField()
    # Held back (its queue is paused): outside the claim index, so that claims need not scan past it.
    held = models.BooleanField(default=False)

    class Meta:
        indexes = [
            # Each type is its own run of the index, so a slow one never hides another.
            models.Index(fields=["queue", "type", "rank", "job_id"], condition=Q(held=False), name="ready_claim_idx"),
            models.Index(fields=["queue", "org_id"], condition=Q(held=True), name="ready_held_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} at {self.rank}"
