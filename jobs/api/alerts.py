"""What an organisation is to be warned of, and the log of its alerts."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, correlation_id, parsed_id
from jobs.api.fields import MomentField, QueueNameField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.errors import AlertRuleNotFound, JobNotFound
from jobs.models import Alert, AlertKind, AlertRule, Delivery
from jobs.queue import alerts
from orgs.names import check_printable
from orgs.roles import Action
from orgs.serializers import StrictSerializer

KINDS = [str(kind) for kind in AlertKind.values]
THRESHOLD = (
    "`dead_letters`: how many in the window. `latency`: seconds that the oldest waiting job has waited. `no_worker`: "
    "seconds that a job has waited which no worker takes. `cron_missed`: times of schedules in the window. "
    "`error_rate`: per cent of the attempts in the window."
)
TOLD = "Ids of webhooks and mail alerts; null: all that are told of `alert.raised`."


class AlertRuleChangeSerializer(StrictSerializer):
    """What is to be changed of a rule."""

    name = TextField(required=False, min_length=1, max_length=64, validators=[check_printable])
    kind = serializers.ChoiceField(KINDS, required=False)
    threshold = serializers.FloatField(required=False, help_text=THRESHOLD)
    queue = QueueNameField(required=False, allow_blank=True, help_text="Only this one; empty: whichever is worst.")
    window_seconds = serializers.IntegerField(required=False, min_value=alerts.WINDOW_SECONDS[0], max_value=86_400)
    settle_seconds = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=86_400,
        help_text="An alert is over when it has been below four fifths of the threshold for so long.",
    )
    subscribers = serializers.ListField(
        child=serializers.UUIDField(), required=False, allow_null=True, max_length=50, help_text=TOLD
    )
    is_paused = serializers.BooleanField(required=False)


class NewAlertRuleSerializer(AlertRuleChangeSerializer):
    """A rule to make."""

    name = TextField(min_length=1, max_length=64, validators=[check_printable])
    kind = serializers.ChoiceField(KINDS)
    threshold = serializers.FloatField(help_text=THRESHOLD)


class AlertRuleSerializer(serializers.Serializer[AlertRule]):
    """A rule, and what it measured last."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    threshold = serializers.FloatField()
    queue = serializers.CharField(allow_blank=True)
    window_seconds = serializers.IntegerField()
    settle_seconds = serializers.IntegerField()
    subscribers = serializers.ListField(child=serializers.UUIDField(), allow_null=True)
    is_paused = serializers.BooleanField()
    seen_value = serializers.FloatField(allow_null=True, help_text="What was measured last.")
    seen_at = MomentField(allow_null=True)
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()


class AlertDeliverySerializer(serializers.Serializer[Delivery]):
    """Somebody who was told."""

    id = serializers.UUIDField()
    subscriber = serializers.UUIDField(source="subscriber_id")
    event = serializers.CharField()
    status = serializers.ChoiceField(Delivery.STATES)


class AlertSerializer(serializers.Serializer[Alert]):
    """An incident: raised once, and over once."""

    id = serializers.UUIDField()
    rule_id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    queue = serializers.CharField(allow_blank=True)
    threshold = serializers.FloatField()
    value = serializers.FloatField(help_text="When it was raised.")
    worst = serializers.FloatField()
    told = serializers.CharField(allow_blank=True, help_text="Where: queues or schedules.")
    raised_at = MomentField()
    cleared_at = MomentField(allow_null=True)
    cleared_why = serializers.CharField(
        allow_blank=True, help_text="`settled`, or what a person did to its rule: `paused`, `changed`, `removed`."
    )
    deliveries = serializers.SerializerMethodField()

    @extend_schema_field(AlertDeliverySerializer(many=True))
    def get_deliveries(self, alert: Alert) -> Any:
        rows: Any = alert
        return AlertDeliverySerializer(rows.told_to, many=True).data


class SentTestsSerializer(serializers.Serializer[Any]):
    deliveries = AlertDeliverySerializer(many=True)


class AlertQuery(PageQuery):
    open = serializers.BooleanField(required=False, default=None, allow_null=True, help_text="Only those not over.")


NOBODY = OpenApiResponse(description="It tells nobody.")
EXAMPLE = {"name": "The night queue waits", "kind": "latency", "threshold": 300, "queue": "night"}


class AlertRulesView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS, "POST": Action.MANAGE_WEBHOOKS}

    @docs.listing("list_alert_rules", "Alert rules", AlertRuleSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = AlertRule.objects.for_org(self.scope.org).select_related("created_by")
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, AlertRuleSerializer)

    @extend_schema(
        operation_id="create_alert_rule",
        summary="Make an alert rule",
        request=NewAlertRuleSerializer,
        parameters=[docs.LOCATION],
        responses={201: AlertRuleSerializer, 409: OpenApiResponse(description="There is one of this name.")},
        examples=[docs.body("A queue that waits for five minutes", EXAMPLE)],
    )
    def post(self, request: Request) -> Response:
        rule = alerts.create(scope=self.scope, request=request._request, **NewAlertRuleSerializer.read(request))
        where = {"Location": reverse("api-alert-rule", args=[rule.pk])}
        return Response(AlertRuleSerializer(rule).data, status=201, headers=where)


class AlertRuleView(OrgView):
    actions = dict.fromkeys(("GET", "PATCH", "DELETE"), Action.MANAGE_WEBHOOKS)

    @extend_schema(operation_id="get_alert_rule", summary="An alert rule", responses={200: AlertRuleSerializer})
    def get(self, request: Request, rule_id: str) -> Response:
        rows = AlertRule.objects.for_org(self.scope.org).select_related("created_by")
        rule = rows.filter(pk=rule_pk(rule_id)).first()
        if rule is None:
            raise AlertRuleNotFound
        return Response(AlertRuleSerializer(rule).data)

    @extend_schema(
        operation_id="change_alert_rule",
        summary="Change an alert rule, pause it or let it go on",
        description="What is left out stays. An alert that is open ends with a pause, or another kind or queue.",
        request=AlertRuleChangeSerializer,
        responses={200: AlertRuleSerializer, 409: OpenApiResponse(description="There is one of this name.")},
        examples=[docs.body("Pause it", {"is_paused": True})],
    )
    def patch(self, request: Request, rule_id: str) -> Response:
        fields = AlertRuleChangeSerializer.read(request)
        rule = alerts.change(rule_pk(rule_id), scope=self.scope, request=request._request, **fields)
        return Response(AlertRuleSerializer(rule).data)

    @extend_schema(
        operation_id="remove_alert_rule",
        summary="Remove an alert rule",
        description="Its alerts stay in the log.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, rule_id: str) -> Response:
        alerts.remove(rule_pk(rule_id), scope=self.scope, request=request._request)
        return Response(status=204)


class AlertRuleTestView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="test_alert_rule",
        summary="Send a test to whom a rule tells",
        request=None,
        responses={202: SentTestsSerializer, 409: NOBODY},
    )
    def post(self, request: Request, rule_id: str) -> Response:
        made = alerts.send_test(
            rule_pk(rule_id), scope=self.scope, correlation_id=correlation_id(request), request=request._request
        )
        return Response(SentTestsSerializer({"deliveries": made}).data, status=202)


class AlertsView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS}

    @docs.listing("list_alerts", "Alerts, the latest first", AlertSerializer, AlertQuery)
    def get(self, request: Request) -> Response:
        asked = AlertQuery.asked(request)
        rows = Alert.objects.filter(org_id=self.scope.org.pk)
        if asked["open"] is not None:
            rows = rows.filter(cleared_at__isnull=asked["open"])
        found, next_cursor = key_page(rows, "-id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, with_deliveries(found), next_cursor, AlertSerializer)


def with_deliveries(found: Sequence[Any]) -> Sequence[Any]:
    """Alerts with `told_to`, in one question."""
    ids = [one for alert in found for one in alert.deliveries]
    by_id = {one.pk: one for one in Delivery.objects.filter(pk__in=ids).defer("data", "response_body")}
    for alert in found:
        alert.told_to = [by_id[one] for one in alert.deliveries if one in by_id]
    return found


def rule_pk(text: str) -> Any:
    """Raises AlertRuleNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise AlertRuleNotFound from None
