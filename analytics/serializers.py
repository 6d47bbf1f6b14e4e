"""What the numbers look like over the API, and what may be asked."""

from typing import Any

from rest_framework import serializers

from analytics.pool import KINDS, LEADER_STATES
from analytics.queries import DAY_HOURS, MOST_HOURS
from jobs.api.fields import MomentField, QueueNameField, TextField
from jobs.api.filters import QuerySerializer, known_type
from jobs.api.serializers import OUTCOMES
from jobs.models import WorkerProcess
from jobs.states import Status
from orgs.serializers import StrictSerializer

Shape = serializers.Serializer[Any]
PROCESS_STATUSES = ["online", "quiet", "draining", "offline", "dead"]


class HoursQuery(QuerySerializer):
    hours = serializers.IntegerField(
        required=False, default=DAY_HOURS, min_value=1, max_value=MOST_HOURS, help_text="How far to look back."
    )


class ByStatusSerializer(Shape):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {str(status): serializers.IntegerField() for status in Status}


class OrgCountsSerializer(Shape):
    """Exact at the moment of asking."""

    total = serializers.IntegerField()
    by_status = ByStatusSerializer()
    active_workers = serializers.IntegerField(help_text="Workers with a heartbeat that serve you.")
    queue_depth = serializers.IntegerField(help_text="Jobs that wait to be claimed.")
    dead_letters = serializers.IntegerField()


class RunningSerializer(Shape):
    """A job being run; `job_id` and `title` are null for another organisation's."""

    job_id = serializers.UUIDField(allow_null=True)
    title = serializers.CharField(allow_null=True)
    since = MomentField()
    expires_at = MomentField(help_text="When its lease ends, if it is not renewed.")


class ProcessSerializer(Shape):
    id = serializers.UUIDField(source="process.id")
    kind = serializers.ChoiceField(KINDS, source="process.kind")
    name = serializers.CharField(source="process.name")
    hostname = serializers.CharField(source="process.hostname")
    pid = serializers.IntegerField(source="process.pid")
    version = serializers.CharField(source="process.version")
    status = serializers.ChoiceField(PROCESS_STATUSES, source="process.status")
    late = serializers.BooleanField(
        help_text="It should have given a sign of life, and has not yet been declared dead."
    )
    slots = serializers.IntegerField(source="process.slots")
    queues = serializers.ListField(child=serializers.CharField(), source="process.queues")
    types = serializers.ListField(child=serializers.CharField(), source="process.types")
    started_at = MomentField(source="process.started_at")
    beat_at = MomentField(source="process.beat_at")
    beat_age_seconds = serializers.FloatField()
    stopped_at = MomentField(source="process.stopped_at", allow_null=True)
    cpu_percent = serializers.FloatField(source="process.cpu_percent")
    memory_bytes = serializers.IntegerField(source="process.memory_bytes")
    jobs_processed = serializers.IntegerField(source="process.jobs_processed")
    labels = serializers.DictField(child=serializers.CharField(), source="process.labels")
    command = serializers.CharField(
        source="process.asked", allow_blank=True, help_text="What it was asked last: quiet, resume, stop."
    )
    commanded_at = MomentField(source="process.asked_at", allow_null=True)
    obeyed_at = MomentField(source="process.obeyed_at", allow_null=True, help_text="When it said that it does it.")
    running = RunningSerializer(many=True)


class CommandSerializer(StrictSerializer):
    command = serializers.ChoiceField(WorkerProcess.COMMANDS)
    reason = TextField(required=False, default="", allow_blank=True, max_length=200)


class LeaderSerializer(Shape):
    """Who leads the schedulers, or led last."""

    state = serializers.ChoiceField(
        LEADER_STATES, help_text="active; stale: its heartbeat is late; none: nobody leads."
    )
    name = serializers.CharField(allow_null=True)
    hostname = serializers.CharField(allow_null=True)
    pid = serializers.IntegerField(allow_null=True)
    epoch = serializers.IntegerField(allow_null=True, help_text="Grows with each leader.")
    since = MomentField(allow_null=True)
    beat_at = MomentField(allow_null=True)
    ended_at = MomentField(allow_null=True)


class FlowQuery(HoursQuery):
    queue = QueueNameField(required=False, default="", help_text="Of this queue alone.")
    type = serializers.CharField(
        required=False, default="", validators=[known_type], help_text="Of this type of job alone."
    )


class TimesSerializer(Shape):
    """Quantiles, within 4.5 % of the true ones; null where nothing ended. Waits are of all, runs of those done."""

    wait_p50_seconds = serializers.FloatField(allow_null=True)
    wait_p95_seconds = serializers.FloatField(allow_null=True)
    wait_p99_seconds = serializers.FloatField(allow_null=True)
    run_p50_ms = serializers.FloatField(allow_null=True)
    run_p95_ms = serializers.FloatField(allow_null=True)
    run_p99_ms = serializers.FloatField(allow_null=True)


class FlowSerializer(TimesSerializer):
    at = MomentField(help_text="Where the interval begins.")
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    retried = serializers.IntegerField(help_text="Of those that failed, whose job is tried again.")
    dead = serializers.IntegerField(help_text="Of those that failed, whose job failed for good.")
    created = serializers.IntegerField(help_text="Jobs that were submitted.")


class DepthPointSerializer(Shape):
    at = MomentField(help_text="Where the interval begins.")
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    scheduled = serializers.IntegerField()


class SeriesSerializer(Shape):
    hours = serializers.IntegerField()
    bucket_seconds = serializers.IntegerField()


class ThroughputSerializer(SeriesSerializer):
    complete = serializers.BooleanField(
        default=True, help_text="Always true: all attempts are counted, however many there were."
    )
    buckets = FlowSerializer(many=True, help_text="Oldest first.")


class DepthSerializer(SeriesSerializer):
    buckets = DepthPointSerializer(many=True, help_text="Oldest first; without intervals of which nothing is known.")


class AccuracySerializer(Shape):
    """Over the runs that succeeded."""

    runs = serializers.IntegerField()
    mape = serializers.FloatField(help_text="Mean of |predicted - actual| / actual.")
    mdape = serializers.FloatField(help_text="Its median.")
    malr = serializers.FloatField(help_text="Mean |log2(predicted / actual)|: 1 is a factor of two.")
    within_2x = serializers.FloatField(help_text="Share within a factor of two.")


class PredictionPointSerializer(Shape):
    job_id = serializers.UUIDField()
    type = serializers.CharField()
    name = serializers.CharField()
    predicted_ms = serializers.FloatField()
    runtime_ms = serializers.FloatField()
    outcome = serializers.ChoiceField(OUTCOMES)
    ended_at = MomentField()


class NearnessSerializer(Shape):
    """Over the runs that came to an end in an interval, failed or not."""

    at = MomentField(help_text="Where the interval begins.")
    runs = serializers.IntegerField()
    mape = serializers.FloatField(help_text="Mean of |predicted - actual| / actual.")
    malr = serializers.FloatField(help_text="Mean |log2(predicted / actual)|: 1 is a factor of two.")
    bias = serializers.FloatField(help_text="Mean log2(predicted / actual): above 0 the predictions are too long.")
    within_2x = serializers.FloatField(help_text="Share within a factor of two.")
    coverage = serializers.FloatField(allow_null=True, help_text="Share within p10 to p90: 0.8 is as it should be.")
    failures_expected = serializers.FloatField(allow_null=True, help_text="Mean predicted probability of failure.")
    failures = serializers.FloatField(allow_null=True, help_text="Share of those that failed.")


class AccuracyOverTimeSerializer(SeriesSerializer):
    buckets = NearnessSerializer(many=True, help_text="Oldest first; without intervals in which nothing ended.")


class PredictionsSerializer(Shape):
    accuracy = AccuracySerializer(allow_null=True)
    over_time = AccuracyOverTimeSerializer()
    points = PredictionPointSerializer(many=True, help_text="The last runs, the newest first.")


class GroupSerializer(TimesSerializer):
    attempts = serializers.IntegerField()
    done = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="Of its attempts.")
    predicted_ms = serializers.FloatField(allow_null=True, help_text="Median over the attempts that succeeded.")
    actual_ms = serializers.FloatField(allow_null=True, help_text="Median over the attempts that succeeded.")


class TypeSummarySerializer(GroupSerializer):
    type = serializers.CharField()


class KindSummarySerializer(GroupSerializer):
    type = serializers.CharField()
    name = serializers.CharField(
        help_text="Empty: the other kinds of the type, where there were more in a day than are kept apart."
    )


class QueueSummarySerializer(GroupSerializer):
    queue = serializers.CharField(help_text="Empty: the other kinds, as above.")


class MeasuredSerializer(Shape):
    """What the figures below are taken from: all attempts of the last hours, to the minute or the hour."""

    hours = serializers.IntegerField()
    attempts = serializers.IntegerField()
    since = MomentField(allow_null=True)
    complete = serializers.BooleanField(help_text="Always true: all attempts are measured.")


class SummarySerializer(TimesSerializer):
    counts = OrgCountsSerializer()
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Done, of all jobs kept that ended done or failed."
    )
    measured = MeasuredSerializer()
    attempts_last_hour = serializers.IntegerField()
    wait_mean_seconds = serializers.FloatField(allow_null=True)
    by_type = TypeSummarySerializer(many=True, help_text="The busiest first, at most 100, as those below.")
    by_kind = KindSummarySerializer(many=True)
    by_queue = QueueSummarySerializer(many=True)
