"""Jobs that wait for others, and the ends that they, and batches, have yet to hear of."""

from django.db import models


class Dependency(models.Model):
    """A job waits for another: until it is done, or has ended in any way. The row goes when the parent has ended."""

    SUCCESS, END = "success", "end"

    id = models.BigAutoField(primary_key=True)
    parent_id = models.UUIDField()
    child_id = models.UUIDField()
    org_id = models.BigIntegerField()
    condition = models.CharField(max_length=7)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(condition__in=["success", "end"]), name="dependency_condition"),
            models.UniqueConstraint(fields=["parent_id", "child_id"], name="dependency_uniq"),
        ]
        indexes = [models.Index(fields=["child_id"], name="dependency_child_idx")]

    def __str__(self) -> str:
        return f"{self.child_id} after {self.condition} of {self.parent_id}"

    @property
    def short_id(self) -> str:
        """Of the job that is waited for, as lists show it."""
        return str(self.parent_id)[-8:]

    @property
    def child_short_id(self) -> str:
        """Of the job that waits."""
        return str(self.child_id)[-8:]


class Ending(models.Model):
    """A job that others wait for, or that is of a batch, has ended: written by the statement that ended it, deleted by
    the one that lets the others go on (release.sql). `replayed` takes back an end of a batch's job."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    job_id = models.UUIDField()
    batch_id = models.UUIDField(null=True)
    status = models.CharField(max_length=9)

    class Meta:
        indexes = [
            # What the counts of a batch do not hold yet.
            models.Index(fields=["batch_id"], condition=models.Q(batch_id__isnull=False), name="ending_batch_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.status}"
