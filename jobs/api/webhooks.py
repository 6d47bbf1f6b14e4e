"""Who is told how jobs end: an organisation's webhooks, and the log of what was delivered to each."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, correlation_id, parsed_id
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.errors import JobNotFound, SubscriberNotFound
from jobs.models import ENDS, Delivery, EventType, Subscriber
from jobs.queue import subscribers
from jobs.queue.subscribers import WEBHOOK
from orgs.roles import Action
from orgs.serializers import StrictSerializer

TYPES_HELP = "Only of jobs of these types; null or left out: of all."


class EventsField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.ChoiceField(EventType.values), min_length=1, max_length=20, **kwargs)


class TypesField(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        child = TextField(max_length=32)
        super().__init__(
            child=child, required=False, allow_null=True, min_length=1, max_length=50, help_text=TYPES_HELP, **kwargs
        )


class NewWebhookSerializer(StrictSerializer):
    """A webhook to make."""

    url = TextField(max_length=2_048, help_text="http or https, at a public address.")
    events = EventsField(required=False, help_text="By default all ends of jobs.")
    types = TypesField()


class WebhookChangeSerializer(NewWebhookSerializer):
    """What is to be changed of a webhook."""

    url = TextField(required=False, max_length=2_048)
    active = serializers.BooleanField(required=False)


class WebhookSerializer(serializers.Serializer[Subscriber]):
    """A webhook. Its secret is shown when it is made, and never again."""

    id = serializers.UUIDField()
    url = serializers.CharField(source="target")
    events = serializers.ListField(child=serializers.ChoiceField(EventType.values))
    types = serializers.ListField(child=serializers.CharField(), allow_null=True)
    active = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_blank=True, help_text="Why it was turned off, where nobody did.")
    previous_secret_until = MomentField(
        source="previous_until", allow_null=True, help_text="Until then it is signed with the secret before, too."
    )
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with its new secret."""

    secret = serializers.SerializerMethodField(help_text="`whsec_…`: keep it; it is shown this once.")

    def get_secret(self, webhook: Subscriber) -> str:
        return str(self.context["secret"])


class DeliverySerializer(serializers.Serializer[Delivery]):
    """One event for one subscriber, and what came of the last try."""

    id = serializers.UUIDField(help_text="The `webhook-id` that the receiver sees, the same with each try.")
    event = serializers.CharField(
        help_text="`job.done`, `job.failed`, `job.cancelled`, `alert.raised`, `alert.cleared` or `test`."
    )
    job_id = serializers.UUIDField(allow_null=True)
    correlation_id = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(Delivery.STATES)
    attempt = serializers.IntegerField(help_text="The number of the last try; 0 before the first.")
    next_at = MomentField(allow_null=True, help_text="When it is tried next; null when it is over.")
    last_attempt_at = MomentField(allow_null=True)
    response_status = serializers.IntegerField(allow_null=True)
    response_body = serializers.CharField(
        allow_blank=True, help_text=f"At most {settings.WEBHOOK_BODY_MAX_BYTES} bytes of it."
    )
    error = serializers.CharField(allow_blank=True)
    duration_ms = serializers.FloatField(allow_null=True)
    data = serializers.DictField(help_text="The `data` of the body.")  # type: ignore[assignment]
    created_at = MomentField()
    ended_at = MomentField(allow_null=True)


OFF = OpenApiResponse(description="It is turned off.")
ACCEPTED = OpenApiResponse(DeliverySerializer, description="It will be sent; look at the delivery for the outcome.")
EXAMPLE = {"url": "https://example.com/hooks/smartqueue", "events": ["job.failed"], "types": ["http"]}


class WebhooksView(OrgView):
    actions = {"GET": Action.MANAGE_WEBHOOKS, "POST": Action.MANAGE_WEBHOOKS}

    @docs.listing("list_webhooks", "Webhooks", WebhookSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Subscriber.objects.for_org(self.scope.org).filter(kind=WEBHOOK).select_related("created_by")
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, WebhookSerializer)

    @extend_schema(
        operation_id="create_webhook",
        summary="Make a webhook",
        description="Its secret is in this answer, and nowhere afterwards.",
        request=NewWebhookSerializer,
        parameters=[docs.LOCATION],
        responses={201: WebhookWithSecretSerializer},
        examples=[docs.body("Of failed http jobs", EXAMPLE)],
    )
    def post(self, request: Request) -> Response:
        sent = NewWebhookSerializer.read(request)
        fields = {"events": ENDS, **named(sent)}
        webhook, secret = subscribers.create_webhook(scope=self.scope, request=request._request, **fields)
        where = {"Location": reverse("api-webhook", args=[webhook.pk])}
        return Response(with_secret(webhook, secret), status=201, headers=where)


class WebhookView(OrgView):
    actions = dict.fromkeys(("GET", "PATCH", "DELETE"), Action.MANAGE_WEBHOOKS)

    @extend_schema(operation_id="get_webhook", summary="A webhook", responses={200: WebhookSerializer})
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response(WebhookSerializer(subscriber_of(self, webhook_id, WEBHOOK)).data)

    @extend_schema(
        operation_id="change_webhook",
        summary="Change a webhook, turn it off or on",
        description="What is left out stays. What comes due while it is off is not sent: it fails, and can be resent.",
        request=WebhookChangeSerializer,
        responses={200: WebhookSerializer},
        examples=[docs.body("Turn it off", {"active": False}), docs.body("Of all types", {"types": None})],
    )
    def patch(self, request: Request, webhook_id: str) -> Response:
        fields = named(WebhookChangeSerializer.read(request))
        webhook = subscribers.change_webhook(pk_of(webhook_id), scope=self.scope, request=request._request, **fields)
        return Response(WebhookSerializer(webhook).data)

    @extend_schema(
        operation_id="remove_webhook",
        summary="Remove a webhook",
        description="What is pending for it is not delivered any more.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, webhook_id: str) -> Response:
        subscribers.remove(pk_of(webhook_id), WEBHOOK, scope=self.scope, request=request._request)
        return Response(status=204)


class WebhookSecretView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        summary="Rotate the secret of a webhook",
        description=f"The new one is in this answer. For {settings.WEBHOOK_ROTATION_HOURS} hours each delivery has two "
        "signatures, the second with the secret until now; rotating twice ends that at once.",
        request=None,
        responses={200: WebhookWithSecretSerializer},
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        webhook, secret = subscribers.rotate(pk_of(webhook_id), scope=self.scope, request=request._request)
        return Response(with_secret(webhook, secret))


class WebhookTestView(OrgView):
    actions = {"POST": Action.MANAGE_WEBHOOKS}

    @extend_schema(
        operation_id="test_webhook",
        summary="Send a test event",
        description="Like any other: signed, tried again, in the log.",
        request=None,
        responses={202: ACCEPTED, 409: OFF},
    )
    def post(self, request: Request, webhook_id: str) -> Response:
        return tested(self, request, webhook_id, WEBHOOK)


def named(sent: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request by the names of their columns."""
    return {"target" if name in ("url", "address") else name: value for name, value in sent.items()}


def with_secret(webhook: Subscriber, secret: str) -> dict[str, Any]:
    return dict(WebhookWithSecretSerializer(webhook, context={"secret": secret}).data)


def pk_of(text: str) -> Any:
    """Raises SubscriberNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise SubscriberNotFound from None


def subscriber_of(view: OrgView, text: str, kind: str) -> Subscriber:
    rows = Subscriber.objects.for_org(view.scope.org).filter(kind=kind).select_related("created_by")
    found = rows.filter(pk=pk_of(text)).first()
    if found is None:
        raise SubscriberNotFound
    return found


def tested(view: OrgView, request: Request, text: str, kind: str) -> Response:
    delivery = subscribers.send_test(
        pk_of(text), kind, scope=view.scope, correlation_id=correlation_id(request), request=request._request
    )
    return Response(DeliverySerializer(delivery).data, status=202)
