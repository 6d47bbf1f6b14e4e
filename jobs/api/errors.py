"""Errors that say the same, together."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.fields import MomentField, QueueNameField
from jobs.api.filters import PageQuery, known_type
from jobs.api.paging import key_page, page_response
from jobs.listing import TooSlow, bounded
from jobs.search.errors import SORTS, group_of, groups, shown
from orgs.roles import Action

WITHIN_HOURS = {"1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24}
DAYS = 30


class ErrorQuery(PageQuery):
    """Which errors, the latest first."""

    type = serializers.CharField(required=False, validators=[known_type], help_text="Of jobs of this type.")
    queue = QueueNameField(required=False, help_text="Of jobs of this queue.")
    within = serializers.ChoiceField(list(WITHIN_HOURS), required=False, help_text="Seen in this time.")
    sort = serializers.ChoiceField(list(SORTS), required=False, default="last", help_text="The greatest first.")


class BucketSerializer(serializers.Serializer[Any]):
    at = MomentField()
    attempts = serializers.IntegerField()


class KindSerializer(serializers.Serializer[Any]):
    queue = serializers.CharField()
    type = serializers.CharField()
    name = serializers.CharField()
    attempts = serializers.IntegerField()


class ErrorGroupSerializer(serializers.Serializer[Any]):
    """Failed attempts that say the same but for numbers, ids and quoted values."""

    fingerprint = serializers.CharField(source="group.fingerprint", help_text="For `fingerprint` of the lists of jobs.")
    error_type = serializers.CharField(source="group.error_type", allow_blank=True)
    pattern = serializers.CharField(allow_blank=True, help_text="What they have alike; * stands for what differs.")
    sample = serializers.CharField(source="group.sample", allow_blank=True, help_text="The latest of them.")
    attempts = serializers.IntegerField(source="group.attempts", help_text="That failed so.")
    first_at = MomentField(source="group.first_at")
    last_at = MomentField(source="group.last_at")
    last_job_id = serializers.UUIDField(source="group.last_job_id")
    trend = BucketSerializer(many=True, help_text="By the hour over a day; of one error by the day over 30.")
    kinds = KindSerializer(many=True, help_text="What it concerned in 30 days, the most first.")


def slow(error: TooSlow) -> ValidationError:
    return ValidationError("The database took too long over this list: narrow it by within.", "too_slow")


class ErrorsView(OrgView):
    actions = {"GET": Action.READ}

    @docs.listing("list_errors", "Errors that say the same", ErrorGroupSerializer, ErrorQuery)
    def get(self, request: Request) -> Response:
        asked = ErrorQuery.asked(request)
        hours = WITHIN_HOURS.get(asked.get("within", ""))
        since = timezone.now() - timedelta(hours=hours) if hours else None
        rows = groups(self.scope.org, since=since, type=asked.get("type", ""), queue=asked.get("queue", ""))
        try:
            with bounded():
                found, next_cursor = key_page(
                    rows, SORTS[asked["sort"]], "-id", limit=asked["limit"], cursor=asked["cursor"]
                )
                items = shown(self.scope.org, found)
        except TooSlow as error:
            raise slow(error) from error
        return page_response(request, items, next_cursor, ErrorGroupSerializer)


class ErrorView(OrgView):
    actions = {"GET": Action.READ}

    @extend_schema(operation_id="get_error", summary="One error", responses={200: ErrorGroupSerializer})
    def get(self, request: Request, fingerprint: str) -> Response:
        try:
            with bounded():
                (found,) = shown(self.scope.org, [group_of(self.scope.org, fingerprint)], days=DAYS)
        except TooSlow as error:
            raise slow(error) from error
        return Response(ErrorGroupSerializer(found).data)
