"""What was tried: a row per try, written once when the try ends, and the lines it logged."""

from django.db import models

from jobs.states import Outcome


class Attempt(models.Model):
    """One try of a job. `number` grows without gaps; it is the fencing number of its lease."""

    id = models.BigAutoField(primary_key=True)
    job_id = models.UUIDField()
    org_id = models.BigIntegerField()
    number = models.IntegerField()
    type = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    worker_id = models.UUIDField()
    worker_name = models.CharField(max_length=128)
    started_at = models.DateTimeField()
    last_beat_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=9)
    runtime_ms = models.FloatField()
    predicted_ms = models.FloatField()
    # The range p10 to p90, where there was one, and the version of the model that predicted.
    predicted_low_ms = models.FloatField(null=True)
    predicted_high_ms = models.FloatField(null=True)
    model_version = models.IntegerField(null=True)
    error_type = models.CharField(max_length=128, blank=True)
    error = models.TextField(blank=True)
    # When its worker, which had lost the lease, first came with an end and was refused.
    fenced_at = models.DateTimeField(null=True)
    # Where its job waited for it and since when, and what the job became; null in attempts of versions before.
    queue = models.CharField(max_length=40, null=True)
    queued_at = models.DateTimeField(null=True)
    to_status = models.CharField(max_length=9, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job_id", "number"], name="attempt_number_uniq"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=[str(outcome) for outcome in Outcome]), name="attempt_outcome_valid"
            ),
        ]
        indexes = [models.Index(fields=["org_id", "ended_at"], name="attempt_history_idx")]

    def __str__(self) -> str:
        return f"{self.job_id} attempt {self.number}: {self.outcome}"


class LogLine(models.Model):
    """A line an attempt wrote: by its handler (`log`) or by its program (`stdout`, `stderr`)."""

    id = models.BigAutoField(primary_key=True)
    job_id = models.UUIDField()
    attempt = models.IntegerField()
    sequence = models.IntegerField()
    stream = models.CharField(max_length=6)
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job_id", "attempt", "sequence"], name="logline_sequence_uniq")]

    def __str__(self) -> str:
        return self.text
