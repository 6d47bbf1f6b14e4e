"""What people do to webhooks and mail alerts: each act is checked, and audited in the transaction that does it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models.functions import Now
from django.http import HttpRequest

from jobs.delivery.signing import new_secret, sealed
from jobs.errors import DeliveryNotFound, IllegalMove, InvalidSubscriber, SubscriberNotFound
from jobs.handlers import registry
from jobs.handlers.addresses import Refused, target
from jobs.models import TEST_EVENT, Delivery, EventType, Subscriber
from jobs.queue.brief import brief
from jobs.queue.deliveries import send_again
from orgs import audit
from orgs.models import Org
from orgs.roles import Action
from orgs.scope import Scope

WEBHOOK, MAIL = Subscriber.WEBHOOK, Subscriber.MAIL
# The word that audit actions begin with.
NAMES = {WEBHOOK: "webhook", MAIL: "mail_alert"}
FIELDS = ("target", "events", "types", "active")
LONGEST_ADDRESS = 254
# What one call has sent again at most; it can be called again.
RESEND_MOST = 1_000


def create_webhook(*, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> tuple[Subscriber, str]:
    """Make a webhook; returns it and its secret, which nothing shows again. Raises InvalidSubscriber."""
    secret = new_secret()
    webhook = Subscriber(org=scope.org, kind=WEBHOOK, created_by=scope.user, **fields)
    webhook.secret = sealed(secret, webhook.pk)
    return create(webhook, scope, request, most=settings.WEBHOOKS_MAX), secret


def create_alert(*, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> Subscriber:
    """Make a mail alert. Raises InvalidSubscriber."""
    alert = Subscriber(org=scope.org, kind=MAIL, created_by=scope.user, **fields)
    return create(alert, scope, request, most=settings.MAIL_ALERTS_MAX)


def create(new: Subscriber, scope: Scope, request: HttpRequest | None, *, most: int) -> Subscriber:
    scope.require(Action.MANAGE_WEBHOOKS)
    tidy(new)
    refuse_faults(new)
    with brief():
        # one after the other: none of them is over the most
        Org.objects.select_for_update(no_key=True).get(pk=scope.org.pk)
        if Subscriber.objects.for_org(scope.org).filter(kind=new.kind).count() >= most:
            raise InvalidSubscriber([("", f"An organisation has at most {most} of these.")])
        new.save(force_insert=True)
        record("create", new, scope, request, old=None, new=shown(new))
    new.refresh_from_db(fields=["created_at"])
    return new


def change_webhook(webhook_id: UUID, *, scope: Scope, request: HttpRequest | None = None, **fields: Any) -> Subscriber:
    """Change some of FIELDS. Raises SubscriberNotFound, InvalidSubscriber."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        webhook = locked(webhook_id, WEBHOOK, scope.org)
        old = shown(webhook)
        for name, value in fields.items():
            setattr(webhook, name, value)
        if webhook.active:
            webhook.disabled_reason = ""
        tidy(webhook)
        refuse_faults(webhook)
        if shown(webhook) != old:
            webhook.save(update_fields=[*FIELDS, "disabled_reason"])
            record("change", webhook, scope, request, old=old, new=shown(webhook))
    return webhook


def remove(subscriber_id: UUID, kind: str, *, scope: Scope, request: HttpRequest | None = None) -> None:
    """Nothing is delivered to it any more, what is pending neither. Raises SubscriberNotFound."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        subscriber = locked(subscriber_id, kind, scope.org)
        record("remove", subscriber, scope, request, old=shown(subscriber), new=None)
        subscriber.delete()


def rotate(webhook_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> tuple[Subscriber, str]:
    """A new secret, shown this once; the present one signs too for WEBHOOK_ROTATION_HOURS, one before it no more."""
    scope.require(Action.MANAGE_WEBHOOKS)
    secret = new_secret()
    with brief():
        webhook = locked(webhook_id, WEBHOOK, scope.org)
        Subscriber.objects.filter(pk=webhook.pk).update(
            secret=sealed(secret, webhook.pk),
            previous_secret=webhook.secret,
            previous_until=Now() + timedelta(hours=settings.WEBHOOK_ROTATION_HOURS),
        )
        record("rotate", webhook, scope, request)
    webhook.refresh_from_db()
    return webhook, secret


def send_test(
    subscriber_id: UUID, kind: str, *, scope: Scope, correlation_id: str = "", request: HttpRequest | None = None
) -> Delivery:
    """Have a test delivered like any event. Raises SubscriberNotFound, IllegalMove for one that is turned off."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        subscriber = active(locked(subscriber_id, kind, scope.org))
        delivery = Delivery.objects.create(
            subscriber=subscriber,
            org_id=scope.org.pk,
            event=TEST_EVENT,
            correlation_id=correlation_id,
            data={NAMES[kind]: str(subscriber.pk)},
            next_at=Now(),
            created_at=Now(),
        )
        record("test", subscriber, scope, request, delivery=str(delivery.pk))
    delivery.refresh_from_db()
    return delivery


def resend(webhook_id: UUID, delivery_id: UUID, *, scope: Scope, request: HttpRequest | None = None) -> Delivery:
    """Have a delivery sent now, whatever became of it; its id stays. Raises as send_test(), DeliveryNotFound."""
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        webhook = active(locked(webhook_id, WEBHOOK, scope.org))
        chosen = Delivery.objects.filter(subscriber=webhook, pk=delivery_id)
        if not send_again(chosen):
            raise DeliveryNotFound
        record("resend", webhook, scope, request, delivery=str(delivery_id))
        return chosen.get()


def resend_failed(
    webhook_id: UUID, since: datetime, *, scope: Scope, request: HttpRequest | None = None
) -> tuple[int, bool]:
    """Have all sent again that failed and are of events since then, the oldest first, at most RESEND_MOST.

    How many there were, and whether there are more. Raises as send_test().
    """
    scope.require(Action.MANAGE_WEBHOOKS)
    with brief():
        webhook = active(locked(webhook_id, WEBHOOK, scope.org))
        failed = Delivery.objects.filter(subscriber=webhook, status=Delivery.FAILED, created_at__gte=since)
        ids = list(failed.order_by("pk").values_list("pk", flat=True)[: RESEND_MOST + 1])
        sent = send_again(failed.filter(pk__in=ids[:RESEND_MOST]))
        record("resend", webhook, scope, request, since=since.isoformat(), deliveries=sent)
    return sent, len(ids) > RESEND_MOST


def locked(subscriber_id: UUID, kind: str, org: Org) -> Subscriber:
    rows = Subscriber.objects.for_org(org).filter(pk=subscriber_id, kind=kind)
    # the name of its maker is not locked with it
    found = rows.select_related("created_by").select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise SubscriberNotFound
    return found


def active(subscriber: Subscriber) -> Subscriber:
    if not subscriber.active:
        raise IllegalMove("It is turned off: turn it on first.")
    return subscriber


def tidy(subscriber: Subscriber) -> None:
    """Each event and type once, in one order."""
    subscriber.events = sorted(set(subscriber.events), key=EventType.values.index)
    subscriber.types = None if subscriber.types is None else sorted(set(subscriber.types))


def refuse_faults(subscriber: Subscriber) -> None:
    found = [*target_faults(subscriber), *type_faults(subscriber.types)]
    if not subscriber.events:
        found.append(("/events", f"Some of {', '.join(EventType.values)}."))
    if found:
        raise InvalidSubscriber(found)


def target_faults(subscriber: Subscriber) -> Iterator[tuple[str, str]]:
    """A URL's address is looked at again with each delivery: what a name leads to is known only then."""
    try:
        if subscriber.kind == WEBHOOK:
            target(subscriber.target)
        elif len(subscriber.target) > LONGEST_ADDRESS or not subscriber.target.isascii():
            raise ValidationError("")
        else:
            validate_email(subscriber.target)
    except Refused as error:
        yield "/url", str(error)
    except ValidationError:
        yield "/address", "This is no address of a mailbox."


def type_faults(types: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    if types is not None and not types:
        yield "/types", "Name one or more, or leave it out for all."
    known = registry.types()
    for unknown in [one for one in types or [] if one not in known][:1]:
        yield "/types", f"There is no job type {unknown!r:.40}; there are: {', '.join(known)}."


def record(act: str, subscriber: Subscriber, scope: Scope, request: HttpRequest | None, **detail: Any) -> None:
    action = f"{NAMES[subscriber.kind]}.{act}"
    audit.record(action, org=scope.org, actor=scope.user, target=subscriber.pk, request=request, **detail)


def shown(subscriber: Subscriber) -> dict[str, Any]:
    """Never a secret."""
    return {name: getattr(subscriber, name) for name in FIELDS}
