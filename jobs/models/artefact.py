"""Files an attempt left behind, in Django's default storage."""

from typing import Self

from django.db import models

from jobs.ids import uuid7
from orgs.models import Org


class ArtefactQuerySet(models.QuerySet["Artefact"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Artefact(models.Model):
    """One file. `file` is a name made by us; what the handler called it is only shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    job_id = models.UUIDField()
    attempt = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    file = models.FileField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArtefactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job_id", "attempt", "name"], name="artefact_name_uniq"),
        ]

    def __str__(self) -> str:
        return self.name
