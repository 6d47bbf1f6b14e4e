"""What an organisation allows at most: its limits, with how far each is used."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.docs import body, listing
from jobs.api.fields import MomentField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.models import Limit, LimitScope
from jobs.queue import limit_control
from orgs.roles import Action
from orgs.serializers import StrictSerializer


class LimitValuesSerializer(StrictSerializer):
    """`max_running`, or `rate_count` per `rate_seconds`, or both."""

    max_running = serializers.IntegerField(
        required=False, allow_null=True, help_text="So many jobs at a time; 0 stops them."
    )
    rate_count = serializers.IntegerField(required=False, allow_null=True, help_text="So many starts …")
    rate_seconds = serializers.FloatField(required=False, allow_null=True, help_text="… in so many seconds.")
    burst = serializers.IntegerField(
        required=False, allow_null=True, help_text="So many starts at once after a rest; by default `rate_count`."
    )


class LimitSerializer(serializers.Serializer[Limit]):
    """A limit, and how far it is used now."""

    scope = serializers.ChoiceField(LimitScope.values, help_text="What the jobs that share it have in common.")
    name = serializers.CharField(
        help_text="Of the queue, type or key; `*` for the organisation, and for each key that has no limit of its own."
    )
    max_running = serializers.IntegerField(allow_null=True)
    rate_count = serializers.IntegerField(allow_null=True)
    rate_seconds = serializers.FloatField(allow_null=True)
    burst = serializers.IntegerField(allow_null=True)
    running = serializers.IntegerField(help_text="Jobs under it that run now; of `key` `*`, those of all its keys.")
    tokens = serializers.FloatField(allow_null=True, help_text="Starts that its rate allows at once.")
    created_at = MomentField()


list_limits = listing("list_limits", "Limits", LimitSerializer, PageQuery)
put_limit = extend_schema(
    operation_id="set_limit",
    summary="Set a limit",
    description="It takes the place of the one there was, and counts at once; jobs that wait already come under it "
    "batch by batch. Scope `org` has the name `*`.",
    request=LimitValuesSerializer,
    responses={200: LimitSerializer, 201: LimitSerializer},
    examples=[
        body("Two at a time", {"max_running": 2}),
        body("Ten a minute, three at once", {"rate_count": 10, "rate_seconds": 60, "burst": 3}),
    ],
)
delete_limit = extend_schema(
    operation_id="remove_limit",
    summary="Remove a limit",
    description="What waited for it may start.",
    request=None,
    responses={204: None},
)


class LimitsView(OrgView):
    actions = {"GET": Action.READ}

    @list_limits
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Limit.objects.for_org(self.scope.org)
        limits, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, limit_control.with_use(limits, self.scope.org), next_cursor, LimitSerializer)


class LimitView(OrgView):
    actions = {"PUT": Action.MANAGE_LIMITS, "DELETE": Action.MANAGE_LIMITS}

    @put_limit
    def put(self, request: Request, scope: str, name: str) -> Response:
        values: dict[str, Any] = LimitValuesSerializer.read(request)
        limit, created = limit_control.set_limit(scope, name, scope=self.scope, request=request._request, **values)
        (shown,) = limit_control.with_use([limit], self.scope.org)
        return Response(LimitSerializer(shown).data, status=201 if created else 200)

    @delete_limit
    def delete(self, request: Request, scope: str, name: str) -> Response:
        limit_control.remove_limit(scope, name, scope=self.scope, request=request._request)
        return Response(status=204)
