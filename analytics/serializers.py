"""What the numbers look like over the API, and what may be asked."""

from typing import Any

from rest_framework import serializers

from analytics.pool import KINDS, LEADER_STATES
from analytics.queries import DAY_HOURS, MOST_HOURS
from jobs.api.fields import MomentField
from jobs.api.filters import QuerySerializer
from jobs.api.serializers import OUTCOMES
from jobs.states import Status

Shape = serializers.Serializer[Any]
PROCESS_STATUSES = ["online", "draining", "offline", "dead"]


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
    running = RunningSerializer(many=True)


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


class FlowSerializer(Shape):
    at = MomentField(help_text="Where the interval begins.")
    done = serializers.IntegerField()
    failed = serializers.IntegerField()


class DepthPointSerializer(Shape):
    at = MomentField(help_text="Where the interval begins.")
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    scheduled = serializers.IntegerField()


class SeriesSerializer(Shape):
    hours = serializers.IntegerField()
    bucket_seconds = serializers.IntegerField()


class ThroughputSerializer(SeriesSerializer):
    complete = serializers.BooleanField(help_text="False: older attempts were too many to read, and are left out.")
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


class TypeSummarySerializer(Shape):
    type = serializers.CharField()
    attempts = serializers.IntegerField()
    done = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="Of its attempts.")
    predicted_ms = serializers.FloatField(allow_null=True, help_text="Median over the attempts that succeeded.")
    actual_ms = serializers.FloatField(allow_null=True, help_text="Median over the attempts that succeeded.")
    run_p95_ms = serializers.FloatField(allow_null=True)


class MeasuredSerializer(Shape):
    """What the figures below are taken from: the newest attempts, up to a bound."""

    hours = serializers.IntegerField()
    attempts = serializers.IntegerField()
    since = MomentField(allow_null=True)
    complete = serializers.BooleanField(help_text="False: there were more in these hours than are read.")


class SummarySerializer(Shape):
    counts = OrgCountsSerializer()
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Done, of all jobs kept that ended done or failed."
    )
    measured = MeasuredSerializer()
    attempts_last_hour = serializers.IntegerField()
    wait_mean_seconds = serializers.FloatField(allow_null=True)
    wait_p95_seconds = serializers.FloatField(allow_null=True)
    run_p95_ms = serializers.FloatField(allow_null=True)
    by_type = TypeSummarySerializer(many=True)
