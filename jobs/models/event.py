"""What has happened to the outside's knowledge: an event of somebody else's, noted once."""

from django.db import models


class SeenEvent(models.Model):
    """An event that a task or a receiver has acted on, under the name its sender gave it."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    event = models.CharField(max_length=255)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "event"], name="seen_event_uniq")]
        indexes = [models.Index(fields=["at"], name="seen_event_age_idx")]

    def __str__(self) -> str:
        return self.event
