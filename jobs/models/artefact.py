"""Files that attempts left behind or people sent for jobs to read, in Django's default storage."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from jobs.ids import uuid7
from jobs.models.job import Job
from orgs.models import Org
from orgs.roles import Action, can


class ArtefactQuerySet(models.QuerySet["Artefact"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)

    def seen_by(self, role: str | None) -> Self:
        """What somebody with this role may take: the audit trail, exported, is for those only who may see that."""
        if can(role, Action.SEE_AUDIT):
            return self
        exports = Job.objects.filter(pk=OuterRef("job_id"), type="data-export")
        return self.exclude(Q(name__startswith="audit.") & Exists(exports))

    def kept(self) -> Self:
        """What has not expired, whether or not it was swept away already."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()))

    def sent(self) -> Self:
        return self.filter(job_id=None)


class Artefact(models.Model):
    """One file. `file` is a name made by us; what the handler called it is only shown."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    # Of the attempt that made it; none for a file that a person sent.
    job_id = models.UUIDField(null=True)
    attempt = models.PositiveIntegerField(null=True)
    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=100)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    file = models.FileField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    # None for what is kept as long as its job.
    expires_at = models.DateTimeField(null=True)

    objects = ArtefactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job_id", "attempt", "name"], name="artefact_name_uniq"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], condition=models.Q(expires_at__isnull=False), name="artefact_expiry_idx"
            ),
            # the newest first
            models.Index(fields=["org", "-id"], condition=models.Q(job_id__isnull=True), name="artefact_sent_idx"),
            # how many bytes an organisation has, from the index alone
            models.Index(fields=["org"], include=["size_bytes"], name="artefact_org_idx"),
        ]

    def __str__(self) -> str:
        return self.name
