"""The pages of webhooks and of the addresses that get mail: who is told, of what, and whether it arrives."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from jobs.errors import IllegalMove, InvalidSubscriber, SubscriberNotFound
from jobs.forms.subscribers import MailForm, SinceForm, ToldForm, WebhookForm
from jobs.models import ENDS, Delivery, EventType, Subscriber
from jobs.pages.deliveries import delivery_page_of
from jobs.queue import subscribers
from jobs.queue.subscribers import MAIL, WEBHOOK
from orgs.models import Org
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope
from orgs.shown_once import keep, never_stored, take

INVALID = 422
ABOUT = "the secret of webhook"
# By the pointer of a fault, the field of the form.
FIELDS = {"/url": "target", "/address": "target", "/events": "events", "/types": "types"}
MANAGE = Action.MANAGE_WEBHOOKS


@org_page(MANAGE, ("GET", "POST"))
def webhooks(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The list; POST makes one, whose secret is on its page, once."""
    form = WebhookForm(request.POST) if request.method == "POST" else WebhookForm()
    if request.method == "POST" and form.is_valid():
        made = attempted(form, lambda: subscribers.create_webhook(scope=scope, request=request, **form.asked()))
        if made:
            webhook, secret = made
            keep(request, f"{ABOUT} {webhook.pk}", secret=secret)
            return redirect("webhook", webhook_id=webhook.pk)
    return list_page(request, scope, form=form)


@org_page(MANAGE, ("POST",))
def add_address(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = MailForm(request.POST, prefix="mail")
    if form.is_valid() and attempted(
        form, lambda: subscribers.create_alert(scope=scope, request=request, **form.asked())
    ):
        messages.success(request, _("%(address)s is told from now on.") % {"address": form.cleaned_data["target"]})
        return redirect("webhooks")
    return list_page(request, scope, mail_form=form)


@org_page(MANAGE, ("POST",))
def test_address(request: HttpRequest, scope: Scope, alert_id: UUID) -> HttpResponse:
    correlation_id = str(getattr(request, "correlation_id", ""))
    with found():
        subscribers.send_test(alert_id, MAIL, scope=scope, correlation_id=correlation_id, request=request)
    messages.success(request, _("A test goes out with the next mail to this address."))
    return redirect("webhooks")


@org_page(MANAGE, ("POST",))
def remove_address(request: HttpRequest, scope: Scope, alert_id: UUID) -> HttpResponse:
    with found():
        subscribers.remove(alert_id, MAIL, scope=scope, request=request)
    messages.success(request, _("The address is told nothing any more."))
    return redirect("webhooks")


@org_page(MANAGE, ("GET", "POST"))
def webhook(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    """One webhook, what was delivered to it, live; POST changes it."""
    one = webhook_of(scope.org, webhook_id)
    form = WebhookForm(request.POST if request.method == "POST" else None, initial=initial_of(one))
    if request.method == "POST" and form.is_valid():
        change = form.asked()
        changed = attempted(
            form, lambda: subscribers.change_webhook(webhook_id, scope=scope, request=request, **change)
        )
        if changed:
            messages.success(request, _("The webhook is changed."))
            return redirect("webhook", webhook_id=webhook_id)
    context = {
        "webhook": one,
        "form": form,
        "made": take(request, f"{ABOUT} {one.pk}"),
        "since_form": SinceForm(auto_id="since-%s"),
        "rotation_hours": settings.WEBHOOK_ROTATION_HOURS,
    }
    response = delivery_page_of(request, one, context, status=INVALID if form.errors else 200)
    return never_stored(response)


@org_page(MANAGE, ("POST",))
def test(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    """Send a test like any event; its page shows what comes back."""
    correlation_id = str(getattr(request, "correlation_id", ""))
    try:
        with found():
            delivery = subscribers.send_test(
                webhook_id, WEBHOOK, scope=scope, correlation_id=correlation_id, request=request
            )
    except IllegalMove as error:
        messages.error(request, str(error))
        return redirect("webhook", webhook_id=webhook_id)
    return redirect("webhook_delivery", webhook_id=webhook_id, delivery_id=delivery.pk)


@org_page(MANAGE, ("POST",))
def rotate(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    with found():
        one, secret = subscribers.rotate(webhook_id, scope=scope, request=request)
    keep(request, f"{ABOUT} {one.pk}", secret=secret, rotated=True)
    return redirect("webhook", webhook_id=webhook_id)


@org_page(MANAGE, ("POST",))
def turn(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    """On or off."""
    on = request.POST.get("active") == "on"
    with found():
        subscribers.change_webhook(webhook_id, scope=scope, request=request, active=on)
    messages.success(request, _("The webhook is on.") if on else _("The webhook is off."))
    return redirect("webhook", webhook_id=webhook_id)


@org_page(MANAGE, ("POST",))
def remove(request: HttpRequest, scope: Scope, webhook_id: UUID) -> HttpResponse:
    with found():
        subscribers.remove(webhook_id, WEBHOOK, scope=scope, request=request)
    messages.success(request, _("The webhook is removed. What was pending for it is not delivered."))
    return redirect("webhooks")


class found:
    """Who is not there is 404, as everywhere."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, SubscriberNotFound):
            raise Http404 from error


def attempted(form: ToldForm, act: Callable[[], Any]) -> Any:
    """What the act returns; None where it found faults, which then stand in the form."""
    try:
        return act()
    except InvalidSubscriber as error:
        for pointer, text in error.errors:
            form.add_error(FIELDS.get(pointer), text)
    except SubscriberNotFound as error:
        raise Http404 from error
    return None


def webhook_of(org: Org, webhook_id: UUID) -> Subscriber:
    rows = Subscriber.objects.for_org(org).filter(kind=WEBHOOK).select_related("created_by")
    one = rows.filter(pk=webhook_id).first()
    if one is None:
        raise Http404
    return one


def initial_of(one: Subscriber) -> dict[str, Any]:
    return {"target": one.target, "events": one.events, "types": one.types or []}


def list_page(request: HttpRequest, scope: Scope, **forms: ToldForm) -> HttpResponse:
    newest = Delivery.objects.filter(subscriber=OuterRef("pk")).order_by("-pk")
    columns = ("status", "created_at", "event", "response_status")
    told = Subscriber.objects.for_org(scope.org).select_related("created_by").order_by("kind", "pk")
    told = told.annotate(**{f"last_{name}": Subquery(newest.values(name)[:1]) for name in columns})
    rows = list(told.annotate(last_id=Subquery(newest.values("pk")[:1])))
    context = {
        "webhooks": [one for one in rows if one.kind == WEBHOOK],
        "addresses": [one for one in rows if one.kind == MAIL],
        "most": {"webhooks": settings.WEBHOOKS_MAX, "addresses": settings.MAIL_ALERTS_MAX},
        "form": WebhookForm(initial={"events": ENDS}),
        "mail_form": MailForm(prefix="mail", initial={"events": [EventType.FAILED.value]}),
        **forms,
    }
    return render(request, "jobs/webhooks.html", context, status=INVALID if request.method == "POST" else 200)
