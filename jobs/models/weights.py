"""What the predictor knows: the recent runs of each kind of job, and the trained models."""

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from orgs.models import Org


class RuntimeHistory(models.Model):
    """The last runs of one (org, type, name), newest last; kept by the statement that ends an attempt."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    type = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    # Parallel arrays of at most 16 runs.
    runtimes_ms = ArrayField(models.FloatField())
    gaps_seconds = ArrayField(models.FloatField())
    failed = ArrayField(models.BooleanField())
    runs = models.BigIntegerField()
    failures = models.BigIntegerField()
    last_ended_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "type", "name"], name="runtimehistory_uniq")]

    def __str__(self) -> str:
        return f"{self.org_id} {self.type} {self.name}: {self.runs} runs"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class ModelVersion(models.Model):
    """Trained weights of one organisation: its history trains its own model and no other's."""

    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.PositiveIntegerField()
    weights = models.BinaryField()
    samples = models.PositiveIntegerField()
    metrics: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    active = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # Who had it trained: "leader" or "command".
    source = models.CharField(max_length=16, blank=True, default="", db_default="")
    trained_seconds = models.FloatField(null=True)
    # Why it was promoted when it was trained, or was not, in a sentence.
    reason = models.CharField(max_length=300, blank=True, default="", db_default="")
    # The last time, by whom ("leader", "command" or "user:<name>"), and which version it took the place of.
    promoted_at = models.DateTimeField(null=True)
    promoted_by = models.CharField(max_length=160, blank=True, default="", db_default="")
    previous = models.PositiveIntegerField(null=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "version"], name="modelversion_uniq"),
            models.UniqueConstraint(fields=["org"], condition=models.Q(active=True), name="modelversion_one_active"),
        ]

    def __str__(self) -> str:
        return f"{self.org_id} v{self.version}"
