"""Every change of a job's status, in one global sequence; and the exact counts kept from it."""

from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Coalesce, Concat
from django.db.models.lookups import In

from jobs.states import LEGAL_MOVES


def legal_move() -> In:
    """states.LEGAL_MOVES as a condition on (from_status, to_status).

    As one word in a list: the server reads a constraint anew with each statement, and a tree of ANDs and ORs takes it
    longer than the insert.
    """
    words = [f"{source or ''}>{target}" for source, targets in LEGAL_MOVES.items() for target in sorted(targets)]
    return In(Concat(Coalesce(F("from_status"), Value("")), Value(">"), F("to_status")), words)


class Transition(models.Model):
    """One move, written by the statement that made it. The state machine is a constraint on this table."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    job_id = models.UUIDField()
    queue = models.CharField(max_length=40)
    from_status = models.CharField(max_length=9, null=True)
    to_status = models.CharField(max_length=9)
    attempt = models.IntegerField()
    # Who moved it: "user:ada", "worker:host-7", "leader", "watchdog".
    actor = models.CharField(max_length=140)
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=legal_move(), name="transition_legal")]
        indexes = [
            models.Index(fields=["job_id", "id"], name="transition_job_idx"),
            # The newest id of an organisation is the version its pages poll for. Ascending, and read backwards: what
            # comes in goes to the end of the index, which costs a third of what going to its beginning does.
            models.Index(fields=["org_id", "id"], name="transition_newest_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.from_status} -> {self.to_status}"


class StatusCount(models.Model):
    """Jobs by organisation, queue and status, folded by the leader. Exact when the deltas are added."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    status = models.CharField(max_length=9)
    jobs = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["org_id", "queue", "status"], name="statuscount_uniq")]

    def __str__(self) -> str:
        return f"{self.org_id} {self.queue} {self.status}: {self.jobs}"


class StatusDelta(models.Model):
    """A change of a count not yet folded: inserted by a trigger on Transition, so no row is fought over."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    status = models.CharField(max_length=9)
    jobs = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["org_id"], name="statusdelta_org_idx")]

    def __str__(self) -> str:
        return f"{self.org_id} {self.queue} {self.status}: {self.jobs:+d}"


class PayloadCount(models.Model):
    """Bytes of the payloads of an organisation's jobs that have not ended, folded as the counts are."""

    org_id = models.BigIntegerField(primary_key=True)
    payload_bytes = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.org_id}: {self.payload_bytes} bytes"


class PayloadDelta(models.Model):
    """A change of that sum not yet folded, by the same trigger: where a job begins, and where it ends."""

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    payload_bytes = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["org_id"], name="payloaddelta_org_idx")]

    def __str__(self) -> str:
        return f"{self.org_id}: {self.payload_bytes:+d} bytes"


class DepthSample(models.Model):
    """How many jobs waited, ran and were scheduled in a queue at a moment: written by the leader.

    A queue that stays empty has no rows: no row at a moment when others have one means nothing was there.
    """

    id = models.BigAutoField(primary_key=True)
    org_id = models.BigIntegerField()
    queue = models.CharField(max_length=40)
    at = models.DateTimeField()
    queued = models.BigIntegerField()
    running = models.BigIntegerField()
    scheduled = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["org_id", "at"], name="depthsample_org_idx"),
            models.Index(fields=["at"], name="depthsample_age_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.at:%F %T}: {self.queued}"
