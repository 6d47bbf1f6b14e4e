"""How the jobs of an organisation stand in a queue: their share of it, and how much work is before which rank."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class QueueShare(models.Model):
    """What ranks are made with, of one organisation in one queue. Made when it is first ahead of its share.

    Kept by the leader; jobs that come in only add to the lead. To lose the latest of it costs nothing but a second.
    """

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    # Its lead: the work it has put in will have had its share of the queue then. Over where that is past.
    lead_until = models.DateTimeField()
    # Seconds of work that its share of the workers does in a second.
    rate = models.FloatField()
    # Of its recent jobs: the means of the logarithms of what was predicted, and of their squares; of so many.
    mean_log_ms = models.FloatField()
    mean_square = models.FloatField()
    jobs = models.FloatField()
    # The last rank that was given to one of a queue in order of arrival: the next comes behind it.
    newest_rank = models.FloatField(default=0, db_default=0)
    # When the leader last did.
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "queue"], name="queueshare_uniq")]
        indexes = [models.Index(fields=["queue", "lead_until"], name="queueshare_ahead_idx")]

    def __str__(self) -> str:
        return f"organisation {self.org_id} in {self.queue}"


class Backlog(models.Model):
    """A profile of what waits in a queue, by rank, for whoever asks when a job will start."""

    queue = models.CharField(max_length=40, primary_key=True)
    measured_at = models.DateTimeField()
    running = models.IntegerField()
    running_ms = models.FloatField()
    # Of each type that waits: the lowest rank, whose job that is, the lowest of another organisation where there is
    # one, and whether a worker serves it.
    head_types = ArrayField(models.CharField(max_length=32))
    heads = ArrayField(models.FloatField())
    head_orgs = ArrayField(models.BigIntegerField())
    others = ArrayField(models.FloatField(null=True))
    served = ArrayField(models.BooleanField())
    # There is more than was read.
    more = models.BooleanField()
    # Of one length: ranks, growing, and the predicted milliseconds that wait up to each.
    ranks = ArrayField(models.FloatField())
    waiting_ms = ArrayField(models.FloatField())
    # The same of what came in of late: offsets from the time of queueing, and milliseconds of work a second up to each.
    offsets = ArrayField(models.FloatField())
    arriving_ms = ArrayField(models.FloatField())
    # What is usual in the queue: mean and variance of the logarithms of what was predicted, over the recent jobs of all
    # its organisations, none counted for more than its own means are made of.
    usual_log_ms = models.FloatField(null=True)
    usual_variance = models.FloatField(null=True)
    # How waits of late compared with what was expected: p10 and p90 of the ratio.
    early_ratio = models.FloatField()
    late_ratio = models.FloatField()
    compared_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.queue
