"""How often what an organisation may have or ask for was not enough."""

from typing import ClassVar

from django.db import models

from orgs.models.tenants import Org


class LimitHit(models.Model):
    """So often a limit refused something on one day, in UTC (orgs.limit_hits)."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Of the limit.
    name = models.CharField(max_length=40)
    day = models.DateField()
    hits = models.PositiveBigIntegerField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["org", "day", "name"], name="limit_hit_uniq")]

    def __str__(self) -> str:
        return f"{self.name} on {self.day}: {self.hits}"
