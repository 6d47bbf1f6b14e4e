"""What a model and its versions look like over the API."""

from typing import Any

from rest_framework import serializers

from jobs.api.fields import MomentField
from jobs.learning import STATES
from jobs.models import ModelVersion


class ModelVersionSerializer(serializers.Serializer[ModelVersion]):
    version = serializers.IntegerField()
    active = serializers.BooleanField()
    trained_at = MomentField(source="created_at")
    trained_by = serializers.CharField(source="source", help_text="`leader` or `command`.")
    trained_seconds = serializers.FloatField(allow_null=True)
    samples = serializers.IntegerField(help_text="Runs it was trained on.")
    metrics = serializers.DictField(help_text="Its errors on runs it had not seen, and those of simple predictors.")
    reason = serializers.CharField(help_text="Why it was promoted when it was trained, or kept back.")
    promoted_at = MomentField(allow_null=True)
    promoted_by = serializers.CharField(help_text="`leader`, `command` or `user:<name>`; empty when it never was.")
    previous = serializers.IntegerField(allow_null=True, help_text="The version it took the place of.")


class RecentAccuracySerializer(serializers.Serializer[Any]):
    """Of the model in use, over the runs it predicted that ended in the last hours."""

    hours = serializers.IntegerField()
    runs = serializers.IntegerField()
    malr = serializers.FloatField(allow_null=True, help_text="Mean |log2(predicted / actual)|: 1 is a factor of two.")
    bias = serializers.FloatField(allow_null=True, help_text="Mean log2(predicted / actual): above 0 it says too long.")
    within_2x = serializers.FloatField(allow_null=True, help_text="Share within a factor of two.")
    coverage = serializers.FloatField(allow_null=True, help_text="Share within p10 to p90: 0.8 is as it should be.")


class LearningSerializer(serializers.Serializer[Any]):
    runs = serializers.IntegerField(source="learning.runs", help_text="That have come to an end and been counted.")
    runs_since_training = serializers.IntegerField()
    runs_until_training = serializers.IntegerField(help_text="Then the leader trains it again.")
    trained_at = MomentField(
        source="learning.trained_at", allow_null=True, help_text="The last time, whatever came of it."
    )
    failures = serializers.IntegerField(source="learning.failures", help_text="Of trainings, since one ended well.")
    not_before = MomentField(source="learning.not_before", allow_null=True, help_text="The next one, after a failure.")
    error = serializers.CharField(source="learning.error", help_text="Of the last one, where it failed.")
    worse_since = MomentField(
        source="learning.worse_since",
        allow_null=True,
        help_text="Since when it errs far more than on its held-out runs.",
    )
    recent = RecentAccuracySerializer()


class StartErrorsSerializer(serializers.Serializer[Any]):
    """How right it was about when jobs would start: of the newest that started."""

    jobs = serializers.IntegerField()
    median_error_seconds = serializers.FloatField(allow_null=True, help_text="Of start and expected start.")
    within_range = serializers.FloatField(allow_null=True, help_text="The part that started within the range, 0 to 1.")


class ModelSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(
        STATES,
        source="health.state",
        help_text="Without a usable model, predictions come from the runs themselves. One that drifts has erred far "
        "more than on its held-out runs for some time; it is trained again at once.",
    )
    active = ModelVersionSerializer(source="health.active", allow_null=True)
    learning = LearningSerializer(source="health")
    versions = ModelVersionSerializer(many=True, help_text="The latest first.")
    starts = StartErrorsSerializer()
