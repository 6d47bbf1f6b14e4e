"""How far the event stream has come: of the deployment, whoever's jobs the events are of."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class StreamPosition(models.Model):
    """One receiver of the event stream (a sink), and who sends to it.

    All moves numbered up to `position` were acknowledged by it. One process holds it at a time, until `held_until` by
    the database's clock; another may take it over after that.
    """

    name = models.CharField(max_length=20, primary_key=True)
    position = models.BigIntegerField()
    holder = models.UUIDField(null=True)
    held_until = models.DateTimeField(null=True)
    # When the position was last moved on.
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(holder__isnull=True, held_until__isnull=True)
                | Q(holder__isnull=False, held_until__isnull=False),
                name="streamposition_held_until",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} to {self.position}"
