"""The trail of acts and its seals."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from orgs.models.tenants import Org, User


class AuditEntry(models.Model):
    """One act of a person: who, from where, on what, old and new. A trigger refuses change and removal."""

    org = models.ForeignKey(
        Org, null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    actor = models.ForeignKey(
        User, null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    # The name as it was then: it outlives the account.
    actor_name = models.CharField(max_length=64, blank=True)
    # Of the key that was shown in the call, if it was one: it outlives the key.
    key_prefix = models.CharField(max_length=16, blank=True, default="", db_default="")
    action = models.CharField(max_length=64)
    target = models.CharField(max_length=128, blank=True)
    detail: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    correlation_id = models.CharField(max_length=128, blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "audit entries"
        # What its list can be narrowed to, the latest first; and of acts on many jobs, each of them.
        indexes = [
            models.Index(fields=["org", "at"], name="audit_at_idx"),
            models.Index(fields=["org", "actor_name", "at"], name="audit_actor_idx"),
            models.Index(fields=["org", "action", "at"], name="audit_action_idx"),
            models.Index(fields=["org", "target", "at"], name="audit_target_idx"),
            models.Index(fields=["org", "correlation_id", "at"], name="audit_correlation_idx"),
            GinIndex(
                fields=["detail"],
                opclasses=["jsonb_path_ops"],
                name="audit_jobs_idx",
                condition=models.Q(detail__has_key="jobs"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.actor_name} {self.action} {self.target}"


class AuditSeal(models.Model):
    """The hash of a batch of the audit trail and of the seal before it (audit_seals.py). Append-only like the trail."""

    number = models.BigIntegerField(primary_key=True)
    # The rows it covers are all that there were after the seal before it, up to `last_id`; for ever.
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    rows = models.IntegerField()
    # Their ids, as a multirange: transactions that were rolled back leave gaps.
    ids = models.TextField()
    # In the order of ids, the first bytes of each row's digest: they tell which row was changed.
    digests = models.BinaryField()
    # Over the whole digests of all rows.
    rows_sha256 = models.CharField(max_length=64)
    # The hash of the seal before, and over all columns here.
    previous = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    # Of the leader's term.
    epoch = models.BigIntegerField()

    def __str__(self) -> str:
        return f"seal {self.number}: {self.rows} rows up to {self.last_id}"


class AuditErased(models.Model):
    """What stands for an entry of an organisation that is erased: by it the seals can still be checked. Append-only."""

    # Of the entry.
    id = models.BigIntegerField(primary_key=True)
    org_id = models.BigIntegerField()
    # SHA-256 over the entry, as its seal has it (audit_seals.DIGEST).
    digest = models.BinaryField()
    # The entry org.erase of the platform's trail that says which entries were erased together.
    covered_by = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["org_id", "covered_by"], name="audit_erased_cover_idx")]

    def __str__(self) -> str:
        return f"entry {self.pk} of organisation {self.org_id}, erased"


class AuditHead(models.Model):
    """The newest seal once more, in one row: whoever cuts off seals has to know of this one too."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField()
    last_id = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_one_head")]

    def __str__(self) -> str:
        return f"seal {self.number}"
