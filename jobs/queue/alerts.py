"""Rules by which an organisation is warned: what people do to them, and the leader's look at all of them.

One incident is one alert: raised when the threshold is reached, over when what is measured has stayed below four fifths
of it for the rule's time. Whoever is told of either is written down in the same statement, and told by a courier.
"""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.errors import AlertRuleNotFound, IllegalMove, InvalidAlertRule, NameTaken
from jobs.models import TEST_EVENT, AlertKind, AlertRule, Delivery, EventType, Subscriber
from jobs.queue import sql
from jobs.queue.brief import brief
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

log = logging.getLogger(__name__)

FIELDS = ("name", "kind", "queue", "threshold", "window_seconds", "settle_seconds", "is_paused", "subscribers")
WINDOW_SECONDS = (60, 86_400)
SETTLE_SECONDS = (0, 86_400)
MOST_THRESHOLD = 1e9
# Of each rule the leader reads no more rows than this: beyond them the exact number changes nothing.
BOUND = 10_000
# An alert is over below this part of its threshold, so that what goes up and down at the edge is one incident.
QUIET_SHARE = 0.8
# Of fewer attempts than this a rate says nothing.
LEAST_ATTEMPTS = 5
# So long after its time a schedule that was not fired counts as missed.
LATE_SECONDS = 60


def create(*, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> AlertRule:
    """Raises InvalidAlertRule, NameTaken."""
    scope.require(Action.MANAGE_WEBHOOKS)
    rule = AlertRule(org=scope.org, created_by=scope.user, **fields)
    with brief():
        # one after the other: none of them is over the most
        Org.objects.select_for_update(no_key=True).get(pk=scope.org.pk)
        if AlertRule.objects.for_org(scope.org).count() >= settings.ALERT_RULES_MAX:
            raise InvalidAlertRule([("", f"An organisation has at most {settings.ALERT_RULES_MAX} of these.")])
        stored(rule, scope, new=True)
        record("create", rule, scope, request, old=None, new=shown(rule))
    rule.refresh_from_db(fields=["created_at"])
    return rule


def change(rule_id: UUID, *, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> AlertRule:
    """Change some of FIELDS. An alert that is open ends with a pause, and where something else is measured from now on.

    Raises AlertRuleNotFound, InvalidAlertRule, NameTaken.
    """
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        rule = locked(rule_id, scope.org)
        old = shown(rule)
        for name, value in fields.items():
            setattr(rule, name, value)
        if shown(rule) != old:
            stored(rule, scope, new=False)
            if any(shown(rule)[name] != old[name] for name in ("kind", "queue", "is_paused")):
                end_open(rule, "paused" if rule.is_paused else "changed")
            record("change", rule, scope, request, old=old, new=shown(rule))
    return rule


def remove(rule_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Its alerts stay in the log. Raises AlertRuleNotFound."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        rule = locked(rule_id, scope.org)
        end_open(rule, "removed")
        record("remove", rule, scope, request, old=shown(rule), new=None)
        rule.delete()


def send_test(
    rule_id: UUID, *, scope: Scope, correlation_id: str = "", request: HttpRequest | None = None
) -> list[Delivery]:
    """Have a test delivered to each that the rule tells. Raises AlertRuleNotFound; IllegalMove where it is nobody."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        rule = locked(rule_id, scope.org)
        made = [
            Delivery(
                subscriber=one,
                org_id=scope.org.pk,
                event=TEST_EVENT,
                correlation_id=correlation_id,
                data={"alert_rule": str(rule.pk), "rule": rule.name},
                next_at=Now(),
                created_at=Now(),
            )
            for one in told_by(rule)
        ]
        if not made:
            raise IllegalMove("It tells nobody: choose a webhook or an address, or have one told of alerts.")
        Delivery.objects.bulk_create(made)
        record("test", rule, scope, request, deliveries=[str(one.pk) for one in made])
    ids = [one.pk for one in made]
    return list(Delivery.objects.filter(pk__in=ids).select_related("subscriber").order_by("pk"))


def judge() -> None:
    """The leader's look: in its transaction, with all that comes of it."""
    (found,) = sql.run(
        "judge_alerts",
        bound=BOUND,
        dead_seconds=settings.WORKER_DEAD_SECONDS,
        late_seconds=LATE_SECONDS,
        least=LEAST_ATTEMPTS,
        quiet_share=QUIET_SHARE,
    )
    if found.raised or found.cleared:
        log.info("alerts", extra={"raised": found.raised, "cleared": found.cleared})


def told_by(rule: AlertRule) -> list[Subscriber]:
    """As alerted.sql has it, of what is raised."""
    rows = Subscriber.objects.for_org(rule.org).filter(active=True)
    if rule.subscribers is not None:
        return list(rows.filter(pk__in=rule.subscribers))
    return list(rows.filter(events__contains=[EventType.ALERT_RAISED.value]))


def end_open(rule: AlertRule, why: str) -> None:
    AlertRule.objects.filter(pk=rule.pk).update(quiet_since=None, seen_value=None, seen_at=None)
    sql.run("end_alert", rule_id=rule.pk, why=why)


def locked(rule_id: UUID, org: Org) -> AlertRule:
    rows = AlertRule.objects.for_org(org).filter(pk=rule_id).select_related("created_by", "org")
    found = rows.select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise AlertRuleNotFound
    return found


def stored(rule: AlertRule, scope: Scope, *, new: bool) -> None:
    rule.subscribers = None if rule.subscribers is None else sorted(set(rule.subscribers))
    if found := list(faults(rule)):
        raise InvalidAlertRule(found)
    others = AlertRule.objects.for_org(scope.org).filter(~Q(pk=rule.pk), name=rule.name)
    if others.exists():
        raise NameTaken("There is an alert rule of this name already.")
    try:
        rule.save(force_insert=new, update_fields=None if new else FIELDS)
    except IntegrityError as error:
        raise NameTaken("There is an alert rule of this name already.") from error


def faults(rule: AlertRule) -> Iterator[tuple[str, str]]:
    if rule.kind not in AlertKind.values:
        yield "/kind", f"One of {', '.join(AlertKind.values)}."
    if not 0 < rule.threshold <= MOST_THRESHOLD:
        yield "/threshold", "More than 0."
    elif rule.kind == AlertKind.ERROR_RATE and rule.threshold > 100:
        yield "/threshold", "A percentage, at most 100."
    if rule.queue and rule.kind == AlertKind.CRON_MISSED:
        yield "/queue", "Schedules are watched whichever queue they submit to: leave it out."
    for name, (least, most) in {"window_seconds": WINDOW_SECONDS, "settle_seconds": SETTLE_SECONDS}.items():
        if not least <= getattr(rule, name) <= most:
            yield f"/{name}", f"From {least} to {most:,}."
    if rule.subscribers is not None:
        known = set(Subscriber.objects.for_org(rule.org).values_list("pk", flat=True))
        if set(rule.subscribers) - known:
            yield "/subscribers", "There is no such webhook or mail alert."


def record(act: str, rule: AlertRule, scope: Scope, request: HttpRequest | None, **detail: Any) -> None:
    audit.record(f"alert_rule.{act}", org=scope.org, actor=scope.user, target=rule.pk, request=request, **detail)


def shown(rule: AlertRule) -> dict[str, Any]:
    told = {name: getattr(rule, name) for name in FIELDS}
    return {**told, "subscribers": None if rule.subscribers is None else [str(one) for one in rule.subscribers]}
