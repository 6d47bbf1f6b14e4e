"""What is paused besides queues: a kind of jobs of an organisation, or all of it."""

from typing import Self

from django.db import models
from django.db.models import Q

from jobs.ids import uuid7
from orgs.models import Org, User


class PauseQuerySet(models.QuerySet["Pause"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Pause(models.Model):
    """While its row is there none of these jobs starts. Without a type it is of the whole organisation."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=32, blank=True)
    # Of all jobs of the type when it is empty.
    name = models.CharField(max_length=64, blank=True)
    paused_at = models.DateTimeField()
    paused_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    reason = models.CharField(max_length=200, blank=True)
    # When the leader ends it; null: a person does.
    resume_at = models.DateTimeField(null=True)

    objects = PauseQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org", "type", "name"], name="pause_of_uniq"),
            models.CheckConstraint(condition=~Q(type="") | Q(name=""), name="pause_name_has_type"),
        ]
        indexes = [
            # Each claim asks which organisations are paused.
            models.Index(fields=["org"], condition=Q(type=""), name="pause_org_idx"),
            models.Index(fields=["resume_at"], condition=Q(resume_at__isnull=False), name="pause_resume_idx"),
        ]

    def __str__(self) -> str:
        return self.of

    @property
    def of(self) -> str:
        """As the audit trail names it: `org`, a type, or a type and a name."""
        return "/".join(word for word in (self.type, self.name) if word) or "org"
