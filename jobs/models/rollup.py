"""What happened, summed up by the minute, hour and day: what charts are drawn from, however much there was."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

MINUTE, HOUR, DAY = 60, 3600, 86_400


class Rollup(models.Model):
    """Sums over the attempts that ended, and the jobs that were made, in an interval (UTC). Added to by the leader.

    Without queue, type and name it is the sum over all of the organisation; with a type alone, over the kinds of which
    there were too many in a day. Bins are in jobs.histograms.
    """

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    # The length of the interval, and where it begins.
    seconds = models.IntegerField()
    at = models.DateTimeField()
    queue = models.CharField(max_length=40, blank=True)
    type = models.CharField(max_length=32, blank=True)
    name = models.CharField(max_length=64, blank=True)
    # Attempts, by their outcome.
    done = models.BigIntegerField()
    error = models.BigIntegerField()
    timeout = models.BigIntegerField()
    crashed = models.BigIntegerField()
    lost = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    released = models.BigIntegerField()
    # Failed attempts by what came of their job: tried again, or failed for good.
    retried = models.BigIntegerField()
    dead = models.BigIntegerField()
    # Jobs that were submitted.
    created = models.BigIntegerField()
    # Attempts whose wait is known, and the sum of the waits.
    waited = models.BigIntegerField()
    wait_ms = models.FloatField()
    # Sums over attempts that are done.
    run_ms = models.FloatField()
    predicted_ms = models.FloatField()
    # Attempts that ran to an end (done, error, timeout), and sums over them of |log2 ratio|, log2 ratio and
    # |ratio - 1|: a ratio is predicted / actual milliseconds, both of at least one.
    judged = models.BigIntegerField()
    log2_error = models.FloatField()
    log2_bias = models.FloatField()
    relative_error = models.FloatField()
    # Of these, those whose prediction had a range, and those that fell into it.
    ranged = models.BigIntegerField()
    in_range = models.BigIntegerField()
    # How many fell into which bin; only bins that something fell into, in their order.
    bins = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.BigIntegerField())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["org_id", "seconds", "at", "queue", "type", "name"], name="rollup_uniq"),
            models.CheckConstraint(condition=Q(seconds__in=[MINUTE, HOUR, DAY]), name="rollup_seconds_valid"),
        ]
        indexes = [
            # The sums over all of an organisation, without reading past those of its kinds.
            models.Index(fields=["org_id", "seconds", "at"], condition=Q(queue="", type=""), name="rollup_all_idx"),
            models.Index(fields=["seconds", "at"], name="rollup_age_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.org_id} {self.at:%F %T}+{self.seconds} {self.queue} {self.type} {self.name}"


class RollupMark(models.Model):
    """One row: up to which ids attempts and moves are added, and down to which older ones are not yet."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    attempt_id = models.BigIntegerField()
    move_id = models.BigIntegerField()
    attempts_left = models.BigIntegerField()
    moves_left = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="rollupmark_one")]

    def __str__(self) -> str:
        return f"attempts up to {self.attempt_id}, moves up to {self.move_id}"


class Total(models.Model):
    """What has happened since the beginning, by job type, over all organisations: the counters of /metrics.

    Added to with the roll-ups, and never less: what is deleted since has happened all the same. A type that this
    software does not know goes to OTHER.
    """

    OTHER = "other"

    type = models.CharField(max_length=32, primary_key=True)
    # Jobs that were submitted, came to an end, and were sent back when they had failed.
    created = models.BigIntegerField()
    done = models.BigIntegerField()
    dead = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    replayed = models.BigIntegerField()
    # Attempts that failed; of these, those whose job was tried again, and those whose lease ran out.
    failed = models.BigIntegerField()
    retried = models.BigIntegerField()
    lost = models.BigIntegerField()
    # Sums of milliseconds: waits, runs of attempts that are done, and of all that ran to an end.
    wait_ms = models.FloatField()
    run_ms = models.FloatField()
    processing_ms = models.FloatField()
    # How many fell into which bin, as in Rollup.
    bins = ArrayField(models.SmallIntegerField())
    counts = ArrayField(models.BigIntegerField())

    def __str__(self) -> str:
        return f"{self.type}: {self.done} done"
