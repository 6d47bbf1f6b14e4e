"""The pages of alerts: what is open now, the rules that raise them, and the log with whom each told."""

from collections.abc import Callable
from typing import Any
from uuid import UUID
from zlib import crc32

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework.exceptions import ValidationError

from jobs.api.alerts import with_deliveries
from jobs.api.paging import key_page
from jobs.errors import AlertRuleNotFound, IllegalMove, InvalidAlertRule, NameTaken
from jobs.forms.alerts import KIND_WORDS, AlertRuleForm
from jobs.models import COUNTED, Alert, AlertRule, Delivery, Subscriber
from jobs.pages.live import unchanged
from jobs.queue import alerts
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

INVALID = 422
PER_PAGE = 25
MANAGE = Action.MANAGE_WEBHOOKS


@org_page(MANAGE, ("GET", "POST"))
def alert_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Rules and log, live; POST makes a rule."""
    form = AlertRuleForm(request.POST if request.method == "POST" else None, org=scope.org)
    if request.method == "POST" and form.is_valid():
        rule = attempted(form, lambda: alerts.create(scope=scope, request=request, **form.asked()))
        if rule:
            messages.success(request, _("%(name)s is watched from now on.") % {"name": rule.name})
            return redirect("alerts")
    shown = log_of(scope.org, request.GET.get("cursor", ""))
    if request.method == "GET" and (same := unchanged(request, shown["version"])):
        return same
    response = page_or_fragment(request, "jobs/alerts.html", "jobs/_alerts.html", {**shown, "form": form})
    response.status_code = INVALID if form.errors else 200
    return response


@org_page(MANAGE, ("GET", "POST"))
def rule(request: HttpRequest, scope: Scope, rule_id: UUID) -> HttpResponse:
    """One rule; POST changes it."""
    one = AlertRule.objects.for_org(scope.org).filter(pk=rule_id).select_related("created_by", "org").first()
    if one is None:
        raise Http404
    initial = {name: getattr(one, name) for name in alerts.FIELDS}
    initial["subscribers"] = [str(pk) for pk in one.subscribers or []]
    form = AlertRuleForm(request.POST if request.method == "POST" else None, org=scope.org, initial=initial)
    if request.method == "POST" and form.is_valid():
        changed = attempted(form, lambda: alerts.change(rule_id, scope=scope, request=request, **form.asked()))
        if changed:
            messages.success(request, _("The rule is changed."))
            return redirect("alert_rule", rule_id=rule_id)
    context = {"rule": one, "form": form, "told": alerts.told_by(one), "word": KIND_WORDS[one.kind]}
    return render(request, "jobs/alert_rule.html", context, status=INVALID if form.errors else 200)


@org_page(MANAGE, ("POST",))
def pause(request: HttpRequest, scope: Scope, rule_id: UUID) -> HttpResponse:
    """Pause it or let it go on."""
    paused = request.POST.get("paused") == "on"
    with_rule(lambda: alerts.change(rule_id, scope=scope, request=request, is_paused=paused))
    messages.success(request, _("The rule is paused.") if paused else _("The rule goes on."))
    return redirect("alert_rule", rule_id=rule_id)


@org_page(MANAGE, ("POST",))
def test(request: HttpRequest, scope: Scope, rule_id: UUID) -> HttpResponse:
    correlation_id = str(getattr(request, "correlation_id", ""))
    try:
        sent = with_rule(lambda: alerts.send_test(rule_id, scope=scope, correlation_id=correlation_id, request=request))
    except IllegalMove as error:
        messages.error(request, str(error))
        return redirect("alert_rule", rule_id=rule_id)
    hooks = [one for one in sent if one.subscriber.kind == Subscriber.WEBHOOK]
    told = ngettext("A test is on its way to %(count)d.", "Tests are on their way to %(count)d.", len(sent))
    messages.success(request, told % {"count": len(sent)})
    if len(sent) == len(hooks) == 1:
        return redirect("webhook_delivery", webhook_id=hooks[0].subscriber_id, delivery_id=hooks[0].pk)
    return redirect("alert_rule", rule_id=rule_id)


@org_page(MANAGE, ("POST",))
def remove(request: HttpRequest, scope: Scope, rule_id: UUID) -> HttpResponse:
    with_rule(lambda: alerts.remove(rule_id, scope=scope, request=request))
    messages.success(request, _("The rule is removed; its alerts stay in the log."))
    return redirect("alerts")


def with_rule(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except AlertRuleNotFound as error:
        raise Http404 from error


def attempted(form: AlertRuleForm, act: Callable[[], AlertRule]) -> AlertRule | None:
    """The rule; None where faults were found, which then stand in the form."""
    try:
        found: AlertRule = with_rule(act)
    except InvalidAlertRule as error:
        for pointer, text in error.errors:
            name = pointer[1:]
            form.add_error(name if name in form.fields else None, text)
    except NameTaken as error:
        form.add_error("name", error.detail)
    else:
        return found
    return None


def log_of(org: Org, cursor: str) -> dict[str, Any]:
    rules = list(AlertRule.objects.for_org(org).order_by("name"))
    rows = Alert.objects.filter(org_id=org.pk)
    try:
        found, next_cursor = key_page(rows, "-id", limit=PER_PAGE, cursor=cursor)
    except ValidationError:
        found, next_cursor = key_page(rows, "-id", limit=PER_PAGE, cursor="")
    log: Any = with_deliveries(found)
    names = dict(Subscriber.objects.for_org(org).values_list("pk", "target"))
    hooks = set(Subscriber.objects.for_org(org).filter(kind=Subscriber.WEBHOOK).values_list("pk", flat=True))
    open_of = {alert.rule_id: alert for alert in rows.filter(cleared_at=None)}
    facts: list[Any] = [(one.pk, one.cleared_at, one.worst, [d.status for d in one.told_to]) for one in log]
    facts += [(one.pk, one.seen_value, one.is_paused, one.quiet_since) for one in rules]
    return {
        "rules": [{"rule": one, "word": KIND_WORDS[one.kind], "open": open_of.get(one.pk)} for one in rules],
        "log": [{"alert": one, "told_to": [named(told, names, hooks) for told in one.told_to]} for one in log],
        "next_cursor": next_cursor,
        "cursor": cursor,
        "counted": [str(kind) for kind in COUNTED],
        "open": len(open_of),
        "version": f"{crc32(repr(facts).encode())}",
    }


def named(delivery: Delivery, names: dict[UUID, str], hooks: set[UUID]) -> dict[str, Any]:
    return {
        "delivery": delivery,
        "target": names.get(delivery.subscriber_id, ""),
        "is_webhook": delivery.subscriber_id in hooks,
    }
