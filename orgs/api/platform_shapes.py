"""The shapes of organisations as platform admins see and set them."""

from rest_framework import serializers

from orgs.api.serializers import STATES, SearchSerializer
from orgs.forms import MOST_OF_A_QUOTA, REASON_MAX
from orgs.models import MAX_WEIGHT, Org
from orgs.names import check_printable
from orgs.serializers import StrictSerializer


class PlatformOrgQuery(SearchSerializer):
    state = serializers.ChoiceField(STATES, required=False)


class SuspensionSerializer(StrictSerializer):
    reason = serializers.CharField(
        max_length=REASON_MAX, validators=[check_printable], help_text="In words for its members, who are shown it."
    )


def quota(what: str) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=MOST_OF_A_QUOTA,
        help_text=f"{what} at once; null: as the deployment's settings say.",
    )


class PlatformOrgChangeSerializer(StrictSerializer):
    weight = serializers.FloatField(
        required=False,
        min_value=0.01,
        max_value=MAX_WEIGHT,
        help_text="Parts of a shared queue, where another organisation gets 1.",
    )
    max_waiting_jobs = quota("Waiting jobs")
    max_payload_bytes = quota("Bytes of payloads of jobs that have not ended")
    max_schedules = quota("Schedules")
    max_artefact_bytes = quota("Bytes of files")


class PlatformOrgSerializer(serializers.Serializer[Org]):
    id = serializers.IntegerField()
    slug = serializers.CharField()
    name = serializers.CharField()
    weight = serializers.FloatField(help_text="Parts of a shared queue.")
    max_waiting_jobs = serializers.IntegerField(allow_null=True, help_text="Null: as the deployment's settings say.")
    max_payload_bytes = serializers.IntegerField(allow_null=True)
    max_schedules = serializers.IntegerField(allow_null=True)
    max_artefact_bytes = serializers.IntegerField(allow_null=True)
    members = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    state = serializers.ChoiceField(STATES)
    suspended_at = serializers.DateTimeField(allow_null=True)
    suspension_reason = serializers.CharField()
    erase_at = serializers.DateTimeField(allow_null=True, help_text="When all of it is erased.")
