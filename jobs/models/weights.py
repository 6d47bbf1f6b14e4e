"""What the predictor knows: what is remembered of past runs, and the trained models."""

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from orgs.models import Org
from predictor.memory import LEVELS


class RuntimeMemory(models.Model):
    """predictor.memory.Memory of one key of an organisation; as of the last fold."""

    pk = models.CompositePrimaryKey("org_id", "level", "key")
    org_id = models.BigIntegerField()
    # The place in predictor.memory.LEVELS, and the key there.
    level = models.SmallIntegerField()
    key = models.TextField()
    runs = models.BigIntegerField()
    failures = models.BigIntegerField()
    means = ArrayField(models.FloatField())
    squares = ArrayField(models.FloatField())
    failed = models.FloatField()
    # Seconds since the epoch, as predictor.memory has it.
    last_ended = models.FloatField()
    # The newest runs, newest last, where the level keeps them. Of the ends one more: for the gap before the oldest.
    recent_ms = ArrayField(models.FloatField(), null=True)
    recent_failed = ArrayField(models.BooleanField(), null=True)
    recent_ended = ArrayField(models.FloatField(), null=True)

    def __str__(self) -> str:
        return f"{self.org_id} {LEVELS[self.level]} {self.key!r}: {self.runs} runs"


class RunDelta(models.Model):
    """Runs of one user, type and name that ended together and are not yet folded in by the leader.

    Inserted with their ends, a row for each such batch, so no row is fought over.
    """

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    # The id of the user, or empty.
    person = models.CharField(max_length=20, blank=True)
    type = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    # Parallel arrays; ends in seconds since the epoch.
    runtimes_ms = ArrayField(models.FloatField())
    failed = ArrayField(models.BooleanField())
    ended = ArrayField(models.FloatField())
    # What was predicted of them, parallel to the others. Empty: not to be compared with what they took.
    predicted_ms = ArrayField(models.FloatField(), default=list)
    predicted_low_ms = ArrayField(models.FloatField(null=True), default=list)
    predicted_high_ms = ArrayField(models.FloatField(null=True), default=list)
    failure_probability = ArrayField(models.FloatField(null=True), default=list)
    model_version = ArrayField(models.IntegerField(null=True), default=list)

    def __str__(self) -> str:
        return f"{self.org_id} {self.type} {self.name}: {len(self.ended)} runs"


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
