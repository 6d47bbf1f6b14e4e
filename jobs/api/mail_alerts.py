"""Addresses that are told how an organisation's jobs end: by default of its dead letters."""

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.webhooks import ACCEPTED, EventsField, TypesField, named, pk_of, subscriber_of, tested
from jobs.models import EventType, Subscriber
from jobs.queue import subscribers
from jobs.queue.subscribers import LONGEST_ADDRESS, MAIL
from orgs.roles import Action
from orgs.serializers import StrictSerializer


class NewMailAlertSerializer(StrictSerializer):
    """A mail alert to make."""

    address = TextField(max_length=LONGEST_ADDRESS)
    events = EventsField(required=False, help_text="By default `job.failed`: dead letters.")
    types = TypesField()


class MailAlertSerializer(serializers.Serializer[Subscriber]):
    """An address that is told how jobs end."""

    id = serializers.UUIDField()
    address = serializers.CharField(source="target")
    events = serializers.ListField(child=serializers.ChoiceField(EventType.values))
    types = serializers.ListField(child=serializers.CharField(), allow_null=True)
    mailed_at = MomentField(allow_null=True, help_text="When the last mail was written to it.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()


class MailAlertsView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS, "POST": Action.MANAGE_WEBHOOKS}

    @docs.listing("list_mail_alerts", "Mail alerts", MailAlertSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Subscriber.objects.for_org(self.scope.org).filter(kind=MAIL).select_related("created_by")
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, MailAlertSerializer)

    @extend_schema(
        operation_id="create_mail_alert",
        summary="Make a mail alert",
        description="One mail for all that happened since the last, and no more than one each "
        f"{settings.MAIL_DIGEST_SECONDS:g} seconds.",
        request=NewMailAlertSerializer,
        parameters=[docs.LOCATION],
        responses={201: MailAlertSerializer},
        examples=[docs.body("Of dead letters", {"address": "oncall@example.com"})],
    )
    def post(self, request: Request) -> Response:
        fields = {"events": [EventType.FAILED.value], **named(NewMailAlertSerializer.read(request))}
        alert = subscribers.create_alert(scope=self.scope, request=request._request, **fields)
        where = {"Location": reverse("api-mail-alert", args=[alert.pk])}
        return Response(MailAlertSerializer(alert).data, status=201, headers=where)


class MailAlertView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS, "DELETE": Action.MANAGE_WEBHOOKS}

    @extend_schema(operation_id="get_mail_alert", summary="A mail alert", responses={200: MailAlertSerializer})
    def get(self, request: Request, alert_id: str) -> Response:
        return Response(MailAlertSerializer(subscriber_of(self, alert_id, MAIL)).data)

    @extend_schema(operation_id="remove_mail_alert", summary="Remove a mail alert", request=None, responses={204: None})
    def delete(self, request: Request, alert_id: str) -> Response:
        subscribers.remove(pk_of(alert_id), MAIL, scope=self.scope, request=request._request)
        return Response(status=204)


class MailAlertTestView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="test_mail_alert",
        summary="Send a test mail",
        description="In the next mail to this address.",
        request=None,
        responses={202: ACCEPTED},
    )
    def post(self, request: Request, alert_id: str) -> Response:
        return tested(self, request, alert_id, MAIL)
