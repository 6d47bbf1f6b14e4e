"""Who is told how an organisation's jobs end and of its alerts, and what he has been told."""

from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from jobs.ids import uuid7
from orgs.models import Org, User


class EventType(models.TextChoices):
    """What a subscriber can be told of: how a job has ended, and that an alert began or is over."""

    DONE = "job.done"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    ALERT_RAISED = "alert.raised"
    ALERT_CLEARED = "alert.cleared"


# What a webhook is told that does not say.
ENDS = [EventType.DONE.value, EventType.FAILED.value, EventType.CANCELLED.value]

# Sent when a person asks for it; nobody subscribes to it.
TEST_EVENT = "test"


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def for_org(self, org: Org) -> Self:
        return self.filter(org=org)


class Subscriber(models.Model):
    """A webhook, or an address for mail, of an organisation. The statement that ends a job looks here whom to tell."""

    WEBHOOK, MAIL = "webhook", "mail"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    org = models.ForeignKey(Org, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=7)
    # The URL, or the address.
    target = models.CharField(max_length=2_048)
    events: "models.Field[list[str], list[str]]" = ArrayField(models.CharField(max_length=16))
    # Of these job types only; null: of all.
    types: "models.Field[list[str] | None, list[str] | None]" = ArrayField(models.CharField(max_length=32), null=True)
    active = models.BooleanField(default=True)
    # Why it was turned off, where nobody did.
    disabled_reason = models.CharField(max_length=200, blank=True)
    # Sealed (orgs/crypto.py); the one before signs too until `previous_until`.
    secret = models.TextField(blank=True)
    previous_secret = models.TextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    # Of an address: when the last mail was written to it.
    mailed_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False, db_constraint=False
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="mail", secret="") | (Q(kind="webhook") & ~Q(secret="")),
                name="subscriber_kind_valid",
            ),
            models.CheckConstraint(
                condition=Q(events__contained_by=EventType.values, events__len__gte=1), name="subscriber_events_valid"
            ),
            models.CheckConstraint(
                condition=Q(previous_secret="", previous_until__isnull=True)
                | (~Q(previous_secret="") & Q(previous_until__isnull=False)),
                name="subscriber_previous_secret_ends",
            ),
        ]
        indexes = [models.Index(fields=["org", "kind", "id"], name="subscriber_org_idx")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Delivery(models.Model):
    """One event for one subscriber: written by the statement that it is of, sent by a courier."""

    PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
    STATES = [PENDING, DELIVERED, FAILED]

    # The receiver's `webhook-id`: the same however often it is sent. Made by the database, in order of time.
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No constraint: an end must not fail because its subscriber goes at the same moment.
    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    org_id = models.BigIntegerField()
    event = models.CharField(max_length=16)
    # Null for a test and for alerts.
    job_id = models.UUIDField(null=True)
    correlation_id = models.CharField(max_length=128, blank=True)
    # What was so when it happened, as it is sent.
    data: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField()
    status = models.CharField(max_length=9, default=PENDING)
    # The number of the last attempt; whoever writes what came of one names it.
    attempt = models.IntegerField(default=0)
    # Those from before somebody asked for it to be sent again: it has its tries anew.
    attempts_before = models.IntegerField(default=0)
    # When to try next; while it is being sent, when to give the sender up; null when it is over.
    next_at = models.DateTimeField(null=True)
    last_attempt_at = models.DateTimeField(null=True)
    response_status = models.IntegerField(null=True)
    response_body = models.TextField(blank=True)
    error = models.TextField(blank=True)
    duration_ms = models.FloatField(null=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="pending", next_at__isnull=False, ended_at__isnull=True)
                | Q(status__in=["delivered", "failed"], next_at__isnull=True, ended_at__isnull=False),
                name="delivery_due_while_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["subscriber", "next_at"], condition=Q(next_at__isnull=False), name="delivery_due_idx"),
            # read backwards for the newest first
            models.Index(fields=["subscriber", "id"], name="delivery_list_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"
