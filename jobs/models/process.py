"""The processes that work on the queue, and the terms of the leader among the schedulers."""

from django.db import models
from django.db.models import Q

from orgs.models import Org, User


class WorkerProcess(models.Model):
    """A running worker, scheduler or watchdog, known by its heartbeat."""

    ONLINE, QUIET, DRAINING, OFFLINE, DEAD = "online", "quiet", "draining", "offline", "dead"
    # What a worker may be asked to do.
    COMMANDS = ("quiet", "resume", "stop")

    id = models.UUIDField(primary_key=True)
    # Whose own worker it is: it takes external jobs of this organisation. Null for those of the deployment.
    org_id = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=9)
    hostname = models.CharField(max_length=128)
    pid = models.PositiveIntegerField()
    version = models.CharField(max_length=32)
    slots = models.PositiveIntegerField(default=0)
    queues = models.JSONField(default=list)
    types = models.JSONField(default=list)
    status = models.CharField(max_length=8, default=ONLINE)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True)
    cpu_percent = models.FloatField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    jobs_processed = models.BigIntegerField(default=0)
    # What it was started with, to be told apart by: {"zone": "b"}.
    labels: "models.JSONField[dict[str, str], dict[str, str]]" = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    # The last command, who gave it, and when the process said that it does it.
    asked = models.CharField(max_length=6, blank=True, default="", db_default="")
    asked_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    obeyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["worker", "scheduler", "watchdog"]), name="process_kind_valid"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["online", "quiet", "draining", "offline", "dead"]), name="process_status_valid"
            ),
            models.CheckConstraint(condition=Q(asked__in=["", "quiet", "resume", "stop"]), name="process_asked_valid"),
        ]
        indexes = [models.Index(fields=["-started_at"], name="process_started_idx")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def name(self) -> str:
        """Of an organisation's own worker, what it calls itself."""
        return f"{self.hostname}-{self.pid}" if self.org_id is None else self.hostname


def serving(org: Org) -> "models.QuerySet[WorkerProcess]":
    """The workers online that take jobs of the organisation: of the deployment, and its own."""
    online = WorkerProcess.objects.filter(kind="worker", status=WorkerProcess.ONLINE)
    return online.filter(Q(org_id=None) | Q(org_id=org.pk))


class LeaderTerm(models.Model):
    """One tenure of a leader. The open row is the fence: a leader's write locks it FOR KEY SHARE."""

    epoch = models.BigAutoField(primary_key=True)
    process_id = models.UUIDField()
    hostname = models.CharField(max_length=128)
    pid = models.PositiveIntegerField()
    elected_at = models.DateTimeField()
    beat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A constant column in a unique index: the database itself allows one open term.
            models.UniqueConstraint(models.Value(1), condition=Q(ended_at__isnull=True), name="leaderterm_one_open")
        ]

    def __str__(self) -> str:
        return f"epoch {self.epoch}: {self.hostname}-{self.pid}"


class Release(models.Model):
    """A version of the software, and when a process of it was first seen: a mark on charts. Noted by the leader."""

    version = models.CharField(max_length=32, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.version} since {self.seen_at:%F %T}"
