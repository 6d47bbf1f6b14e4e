"""What was delivered to a webhook, one by one, and sending it again."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, parsed_id
from jobs.api.fields import MomentField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.webhooks import ACCEPTED, OFF, DeliverySerializer, pk_of, subscriber_of
from jobs.delivery.post import sent_as
from jobs.errors import DeliveryNotFound, JobNotFound
from jobs.models import Delivery, Subscriber
from jobs.queue import subscribers
from jobs.queue.subscribers import WEBHOOK
from orgs.roles import Action
from orgs.serializers import StrictSerializer


class SentSerializer(serializers.Serializer[Any]):
    """A request as it is sent, without its signature."""

    method = serializers.CharField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    body = serializers.CharField()


class WholeDeliverySerializer(DeliverySerializer):
    """A delivery with the request that was, or will be, sent."""

    request = serializers.SerializerMethodField()

    @extend_schema_field(SentSerializer)
    def get_request(self, delivery: Delivery) -> dict[str, Any]:
        return sent_as(delivery)


class ResendAllSerializer(StrictSerializer):
    since = MomentField(help_text="Of events from then on.")


class ResentSerializer(serializers.Serializer[Any]):
    resent = serializers.IntegerField(help_text=f"At most {subscribers.RESEND_MOST:,}, the oldest.")
    more = serializers.BooleanField(help_text="Whether there are more: call again.")


class DeliveryQuery(PageQuery):
    status = serializers.ChoiceField(Delivery.STATES, required=False)


class DeliveriesView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS}

    @docs.listing("list_deliveries", "Deliveries of a webhook, the latest first", DeliverySerializer, DeliveryQuery)
    def get(self, request: Request, webhook_id: str) -> Response:
        asked = DeliveryQuery.asked(request)
        rows = Delivery.objects.filter(subscriber=subscriber_of(self, webhook_id, WEBHOOK))
        if "status" in asked:
            rows = rows.filter(status=asked["status"])
        found, next_cursor = key_page(rows, "-id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, DeliverySerializer)


class DeliveryView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="get_delivery",
        summary="A delivery, with what is sent",
        responses={200: WholeDeliverySerializer},
    )
    def get(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        webhook = subscriber_of(self, webhook_id, WEBHOOK)
        return Response(WholeDeliverySerializer(delivery_of(webhook, delivery_id)).data)


class ResendAllView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="resend_failed_deliveries",
        summary="Send all again that failed",
        description="Of events since a time. Each as when one is sent again.",
        request=ResendAllSerializer,
        responses={200: ResentSerializer, 409: OFF},
        examples=[docs.body("Since the receiver broke", {"since": "2026-01-31T12:00:00Z"})],
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        since = ResendAllSerializer.read(request)["since"]
        resent, more = subscribers.resend_failed(pk_of(webhook_id), since, scope=self.scope, request=request._request)
        return Response({"resent": resent, "more": more})


class ResendView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="resend_delivery",
        summary="Send a delivery again",
        description="Now, whatever became of it, and with all its tries anew. Its id and its body stay.",
        request=None,
        responses={202: ACCEPTED, 409: OFF},
    )
    def post(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        delivery = delivery_pk(delivery_id)
        sent = subscribers.resend(pk_of(webhook_id), delivery, scope=self.scope, request=request._request)
        return Response(DeliverySerializer(sent).data, status=202)


def delivery_pk(text: str) -> Any:
    """Raises DeliveryNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise DeliveryNotFound from None


def delivery_of(webhook: Subscriber, text: str) -> Delivery:
    found = Delivery.objects.filter(subscriber=webhook, pk=delivery_pk(text)).select_related("subscriber").first()
    if found is None:
        raise DeliveryNotFound
    return found
