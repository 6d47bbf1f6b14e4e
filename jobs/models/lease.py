"""Jobs being run. Hot and narrow: a claim inserts, renewal updates, finish and watchdog delete."""

from django.db import models


class Lease(models.Model):
    """The right of one attempt to run a job until a time, held by its token."""

    job_id = models.UUIDField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    type = models.CharField(max_length=32)
    attempt = models.IntegerField()
    token = models.UUIDField()
    worker_id = models.UUIDField()
    worker_name = models.CharField(max_length=128)
    predicted_ms = models.FloatField()
    predicted_low_ms = models.FloatField(null=True)
    predicted_high_ms = models.FloatField(null=True)
    failure_probability = models.FloatField(null=True)
    model_version = models.IntegerField(null=True)
    # Of the job, as they were when it was claimed: what the end of the attempt is decided by, without reading the job.
    name = models.CharField(max_length=64)
    rank_offset = models.FloatField()
    attempt_limit = models.IntegerField()
    limit_key = models.CharField(max_length=64, null=True)
    # Since when the job had waited; null where a worker of the version before claimed it.
    queued_at = models.DateTimeField(null=True)
    leased_at = models.DateTimeField()
    renewed_at = models.DateTimeField()
    # No index: there are as many rows as slots, and renewals stay HOT.
    expires_at = models.DateTimeField()
    # Of external jobs: the end of their timeout, beyond which no renewal reaches. Ours stop their handlers themselves.
    deadline_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    progress = models.FloatField(null=True)
    progress_message = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.job_id} attempt {self.attempt} by {self.worker_name}"
