"""What was delivered to a webhook: the list on its page, and the page of one with what was sent and came back."""

import json
from typing import Any
from uuid import UUID
from zlib import crc32

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework.exceptions import ValidationError

from jobs.api.paging import key_page
from jobs.delivery.post import sent_as
from jobs.errors import DeliveryNotFound, IllegalMove, SubscriberNotFound
from jobs.forms.subscribers import SinceForm
from jobs.models import Delivery, Subscriber
from jobs.pages.live import unchanged
from jobs.queue import subscribers
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

PER_PAGE = 50
MANAGE = Action.MANAGE_WEBHOOKS


def delivery_page_of(
    request: HttpRequest, one: Subscriber, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The page of a webhook, or its list of deliveries alone."""
    asked = request.GET.get("status", "")
    asked = asked if asked in Delivery.STATES else ""
    rows = Delivery.objects.filter(subscriber=one).defer("data", "response_body")
    if asked:
        rows = rows.filter(status=asked)
    try:
        found, next_cursor = key_page(rows, "-id", limit=PER_PAGE, cursor=request.GET.get("cursor", ""))
    except ValidationError:
        found, next_cursor = key_page(rows, "-id", limit=PER_PAGE, cursor="")
    facts = [(row.pk, row.status, row.attempt, row.next_at) for row in found]
    version = f"{crc32(repr(facts).encode())}"
    if same := unchanged(request, version):
        return same
    shown: dict[str, Any] = {"deliveries": found, "next_cursor": next_cursor, "asked": asked, "version": version}
    shown |= {"states": Delivery.STATES, "cursor": request.GET.get("cursor", "")}
    response = page_or_fragment(request, "jobs/webhook.html", "jobs/_deliveries.html", {**context, **shown})
    response.status_code = status
    return response


@org_page(MANAGE)
def delivery(request: HttpRequest, scope: Scope, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """One delivery, live until it is over."""
    rows = Delivery.objects.filter(org_id=scope.org.pk, subscriber__org=scope.org, subscriber_id=webhook_id)
    one = rows.select_related("subscriber").filter(pk=delivery_id).first()
    if one is None:
        raise Http404
    version = f"{one.attempt}.{one.status}.{crc32(repr((one.next_at, one.error)).encode())}"
    if same := unchanged(request, version):
        return same
    sent = sent_as(one)
    context = {
        "delivery": one,
        "webhook": one.subscriber,
        "version": version,
        "sent": sent,
        "body": json.dumps(json.loads(sent["body"]), indent=2, ensure_ascii=False),
        "tries": one.attempt - one.attempts_before,
    }
    return page_or_fragment(request, "jobs/delivery.html", "jobs/_delivery.html", context)


@org_page(MANAGE, ("POST",))
def resend(request: HttpRequest, scope: Scope, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    try:
        subscribers.resend(webhook_id, delivery_id, scope=scope, request=request)
    except (SubscriberNotFound, DeliveryNotFound) as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("It is sent again now, with all its tries anew."))
    return redirect("webhook_delivery", webhook_id=webhook_id, delivery_id=delivery_id)


@org_page(MANAGE, ("POST",))
def resend_failed(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    form = SinceForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["since"][0]))
        return redirect("webhook", webhook_id=webhook_id)
    since = timezone.now() - form.length()
    try:
        resent, more = subscribers.resend_failed(webhook_id, since, scope=scope, request=request)
    except SubscriberNotFound as error:
        raise Http404 from error
    except IllegalMove as error:
        messages.error(request, str(error))
    else:
        told = ngettext("%(count)d delivery is sent again.", "%(count)d deliveries are sent again.", resent)
        messages.success(request, told % {"count": resent} + (" " + _("There are more: press again.") if more else ""))
    return redirect("webhook", webhook_id=webhook_id)
