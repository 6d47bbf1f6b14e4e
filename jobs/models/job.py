"""What was asked, and how it ended. Cold and wide: written when it is enqueued and when an attempt ends."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, Exists, F, OuterRef, Q, Value, When
from django.db.models.functions import Coalesce

from jobs.ids import uuid7
from jobs.models.bulk import BulkHold
from jobs.models.classification import CATEGORY_CHARACTERS
from jobs.models.lease import Lease
from jobs.states import STORED, TERMINAL, Status
from orgs.models import Org, User

TAG_CHARACTERS = 40
# PostgreSQL stores `infinity`, which every later read of the row would fail on.
EARLIEST, LATEST = "1970-01-01T00:00:00+00:00", "2200-01-01T00:00:00+00:00"


class Expected(NamedTuple):
    """When a job is to start and to end: p50, p10 and p90 of each."""

    starts_at: datetime
    starts_low_at: datetime
    starts_high_at: datetime
    ends_at: datetime
    ends_low_at: datetime
    ends_high_at: datetime

    @classmethod
    def of(
        cls, start: datetime, low: datetime, high: datetime, ms: float, low_ms: float | None, high_ms: float | None
    ) -> Self:
        """From its start and what it is predicted to run, in milliseconds."""
        runs = (ms, ms if low_ms is None else low_ms, ms if high_ms is None else high_ms)
        ends = (begin + timedelta(milliseconds=run) for begin, run in zip((start, low, high), runs, strict=True))
        return cls(start, low, high, *ends)


class JobQuerySet(models.QuerySet["Job"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)

    def with_state(self) -> Self:
        """Annotate `state` (what people call the status, running included) and the running lease's facts."""
        lease = Lease.objects.filter(job_id=OuterRef("pk"))
        return self.annotate(
            lease_attempt=models.Subquery(lease.values("attempt")[:1]),
            lease_started_at=models.Subquery(lease.values("leased_at")[:1]),
            lease_worker=models.Subquery(lease.values("worker_name")[:1]),
            lease_progress=models.Subquery(lease.values("progress")[:1]),
            lease_message=models.Subquery(lease.values("progress_message")[:1]),
            cancel_requested=Coalesce(models.Subquery(lease.values("cancel_requested")[:1]), Value(False)),
            state=Case(When(lease_attempt__isnull=False, then=Value(str(Status.RUNNING))), default=F("status")),
            attempts_made=Coalesce(F("lease_attempt"), F("attempt")),
        )

    def in_status(self, *statuses: Status) -> Self:
        """Jobs in any of these; running starts from the leases, which are few."""
        leased = Exists(Lease.objects.filter(job_id=OuterRef("pk")))
        chosen = Q(pk__in=[])
        for status in statuses:
            match status:
                case Status.RUNNING:
                    chosen |= Q(pk__in=Lease.objects.values("job_id"))
                case Status.QUEUED:
                    chosen |= Q(status=status) & ~Q(leased)
                case _:
                    chosen |= Q(status=status)
        return self.filter(chosen)

    def dead_letters(self) -> Self:
        return self.filter(failed_at__isnull=False)

    def staying(self) -> Self:
        """Without those that are to be deleted in a moment, unless that is undone."""
        return self.filter(~Exists(BulkHold.objects.filter(job_id=OuterRef("pk"), hides=True)))


class Job(models.Model):
    """One unit of work."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No constraint on the two references: each job would read and lock its organisation's row, the same for all.
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    queue = models.CharField(max_length=40)
    type = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    payload: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()
    payload_bytes = models.IntegerField()
    urgency = models.CharField(max_length=6, default="medium")
    # One of the organisation's (jobs.categories) when it was set, or empty.
    category = models.CharField(max_length=CATEGORY_CHARACTERS, blank=True)
    # Words of the caller's own, to find it by. Found through jobs.search: no index here.
    tags = ArrayField(models.CharField(max_length=TAG_CHARACTERS), default=list, db_default=Value("{}"))
    # What was read out of its text (jobs.classifying.told()); null while nothing was.
    classification: "models.JSONField[dict[str, Any] | None, dict[str, Any] | None]" = models.JSONField(null=True)

    predicted_ms = models.FloatField()
    predicted_low_ms = models.FloatField(null=True)
    predicted_high_ms = models.FloatField(null=True)
    # Of an attempt; null where nothing is known.
    failure_probability = models.FloatField(null=True)
    # What made the prediction: model, history, similar or default; type_median before there was similar.
    prediction_source = models.CharField(max_length=16)
    model_version = models.IntegerField(null=True)
    priority = models.FloatField()
    # rank = time of queueing + these two (jobs.ranking): the organisation's lead, stretched, and how far the queue was
    # behind, as a negative number. The stretch is kept, so that a promoted or replayed job is ranked alike.
    rank_offset = models.FloatField()
    share_offset = models.FloatField(default=0, db_default=0)
    stretch = models.FloatField(default=1, db_default=1)
    # What was said of its start when it was submitted; null where that could not be said.
    expected_start_at = models.DateTimeField(null=True)
    expected_start_low_at = models.DateTimeField(null=True)
    expected_start_high_at = models.DateTimeField(null=True)

    status = models.CharField(max_length=9)
    run_at = models.DateTimeField(null=True)
    # The two below are null for nearly all jobs, so that the usual end changes nothing that is indexed and the row is
    # updated in place (a HOT update): while it is scheduled, and once it is a dead letter.
    due_at = models.GeneratedField(
        expression=Case(When(status=Status.SCHEDULED, then=F("run_at"))),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
    )
    failed_at = models.GeneratedField(
        expression=Case(When(status=Status.FAILED, then=F("finished_at"))),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
    )
    # What the caller named to be limited with: jobs of one key share the limits set for it.
    limit_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    # How many others it waits for; while any, it is scheduled without a due time.
    waiting_on = models.IntegerField(default=0, db_default=0)
    # Others wait for its end: what its end must be told for. Not indexed, like the one above.
    has_dependents = models.BooleanField(default=False, db_default=False)
    batch_id = models.UUIDField(null=True)
    timeout_seconds = models.IntegerField()
    max_attempts = models.SmallIntegerField()
    # When it is tried again, where that is not as its type has it: {"base_seconds": …, "cap_seconds": …}.
    retry: "models.JSONField[dict[str, Any] | None, dict[str, Any] | None]" = models.JSONField(null=True)
    # The number of the last attempt. It only grows: it is the fencing number that outside receivers see.
    attempt = models.IntegerField(default=0)
    # The last attempt number this life may reach; a release raises it, so that a release burns nothing.
    attempt_limit = models.IntegerField()
    # 1, and one more with each replay.
    life = models.IntegerField(default=1)

    idempotency_key = models.CharField(max_length=255, null=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    correlation_id = models.CharField(max_length=128)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    result: "models.JSONField[Any, Any]" = models.JSONField(null=True)
    runtime_ms = models.FloatField(null=True)
    # Of the last attempt that did not succeed.
    outcome = models.CharField(max_length=9, blank=True)
    error_type = models.CharField(max_length=128, blank=True)
    error = models.TextField(blank=True)

    objects = JobQuerySet.as_manager()

    # Set by with_state().
    state: str
    lease_attempt: int | None
    lease_started_at: datetime | None
    lease_worker: str | None
    lease_progress: float | None
    lease_message: str | None
    attempts_made: int
    cancel_requested: bool

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=sorted(STORED)),
                name="job_status_valid",
            ),
            models.CheckConstraint(
                condition=Q(status__in=sorted(TERMINAL), finished_at__isnull=False)
                | (~Q(status__in=sorted(TERMINAL)) & Q(finished_at__isnull=True)),
                name="job_finished_at_when_ended",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.SCHEDULED) | Q(run_at__isnull=False) | Q(waiting_on__gt=0),
                name="job_scheduled_has_due_time",
            ),
            models.CheckConstraint(
                condition=Q(run_at__isnull=True) | Q(run_at__gte=EARLIEST, run_at__lt=LATEST),
                name="job_run_at_in_range",
            ),
            models.CheckConstraint(condition=Q(urgency__in=["high", "medium", "low"]), name="job_urgency_valid"),
            models.CheckConstraint(condition=Q(priority__gt=0, priority__lt=1), name="job_priority_in_range"),
            models.CheckConstraint(condition=Q(max_attempts__gte=1), name="job_max_attempts_positive"),
            models.UniqueConstraint(
                fields=["org", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="job_idempotency_uniq",
            ),
        ]
        indexes = [
            # read backwards for the newest first, see Transition
            models.Index(fields=["org", "id"], name="job_newest_idx"),
            models.Index(
                # by the database's clock: the time in an id is that of whichever host made it
                fields=["created_at"],
                condition=Q(idempotency_key__isnull=False),
                name="job_idempotency_age_idx",
            ),
            models.Index(fields=["batch_id", "id"], condition=Q(batch_id__isnull=False), name="job_batch_idx"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="job_due_idx"),
            models.Index(
                fields=["org", "-failed_at", "-id"], condition=Q(failed_at__isnull=False), name="job_failed_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.name} {self.pk}"

    def without_lease(self) -> Self:
        """As with_state() makes it where no worker has it; for one that was stored this moment."""
        self.lease_attempt = self.lease_started_at = self.lease_worker = None
        self.lease_progress = self.lease_message = None
        self.cancel_requested = False
        self.state, self.attempts_made = self.status, self.attempt
        return self

    @property
    def expected(self) -> Expected | None:
        """What was said of it when it was submitted."""
        start, low, high = self.expected_start_at, self.expected_start_low_at, self.expected_start_high_at
        if start is None or low is None or high is None:
            return None
        return Expected.of(start, low, high, self.predicted_ms, self.predicted_low_ms, self.predicted_high_ms)

    @property
    def short_id(self) -> str:
        """The last eight characters: the random end, which tells jobs of one moment apart."""
        return str(UUID(str(self.pk)))[-8:]
