"""What platform admins may look at, over all organisations. Jobs are moved by the queue's verbs only, and so is what an
action here does: each is in the audit trail.
"""

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from jobs import admin_scoped
from jobs.handlers import registry
from jobs.hiding import hide
from jobs.models import (
    Alert,
    AlertRule,
    Delivery,
    Job,
    LeaderTerm,
    Limit,
    ModelVersion,
    Queue,
    Schedule,
    Subscriber,
    WorkerProcess,
)
from jobs.queue import schedules
from jobs.queue.control import pause, resume
from jobs.queue.versions import promote
from jobs.ranking import URGENCY_FACTOR
from jobs.states import STORED
from orgs.admin_parts import ReadOnly, ReasonForm, each, fixed, reason_of, scope_in

if TYPE_CHECKING:
    ManyPages = Paginator[Any]
else:
    ManyPages = Paginator

COUNT_BOUND = 10_000


class BoundedPaginator(ManyPages):
    """Counts no further than the pages anybody would turn."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[:COUNT_BOUND].count())


class Great(ReadOnly):
    """Of a table whose rows nobody counts."""

    paginator = BoundedPaginator
    show_full_result_count = False


@admin.register(Job)
class JobAdmin(Great):
    list_display = ("id", "org", "type", "name", "queue", "status", "created_at", "created_by")
    list_filter = (
        fixed("status", sorted(STORED)),
        fixed("type", registry.types()),
        fixed("urgency", URGENCY_FACTOR),
    )
    list_select_related = ("org", "created_by")
    search_fields = ("^name", "^correlation_id")
    ordering = ("-pk",)
    exclude = ("payload",)
    readonly_fields = ("shown_payload",)

    @admin.display(description="Payload")
    def shown_payload(self, job: Job) -> str:
        return json.dumps(hide(job.payload), indent=2, ensure_ascii=False)


@admin.register(Queue)
class QueueAdmin(ReadOnly):
    list_display = ("org", "name", "policy", "paused_at", "paused_by", "pause_reason")
    list_filter = ("policy", "paused_at")
    list_select_related = ("org", "paused_by")
    search_fields = ("name", "org__slug")
    ordering = ("org", "name")
    actions = ("pause", "resume")
    action_form = ReasonForm

    @admin.action(description="Pause: no job of them starts")
    def pause(self, request: HttpRequest, rows: Any) -> None:
        stop = partial(pause, request=request, reason=reason_of(request))
        each(self, request, rows, lambda queue: stop(queue.name, scope=scope_in(request, queue.org)))

    @admin.action(description="Let them go on")
    def resume(self, request: HttpRequest, rows: Any) -> None:
        each(self, request, rows, lambda one: resume(one.name, scope=scope_in(request, one.org), request=request))


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("org", "name", "cron", "timezone", "is_paused", "next_at", "last_at", "created_by")
    list_filter = ("is_paused", "missed")
    list_select_related = ("org", "created_by")
    search_fields = ("name", "org__slug")
    ordering = ("org", "name")
    exclude = ("job",)
    readonly_fields = ("shown_job",)
    actions = ("pause", "resume")

    @admin.display(description="Job")
    def shown_job(self, schedule: Schedule) -> str:
        return json.dumps(hide(schedule.job), indent=2, ensure_ascii=False)

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, rows: Any) -> None:
        self.turn(request, rows, paused=True)

    @admin.action(description="Let them go on")
    def resume(self, request: HttpRequest, rows: Any) -> None:
        self.turn(request, rows, paused=False)

    def turn(self, request: HttpRequest, rows: Any, *, paused: bool) -> None:
        change = partial(schedules.change, version=None, request=request, is_paused=paused)
        each(self, request, rows, lambda one: change(one.pk, scope=scope_in(request, one.org)))


@admin.register(Limit)
class LimitAdmin(ReadOnly):
    list_display = ("org", "scope", "name", "max_running", "rate_count", "rate_seconds", "burst", "created_at")
    list_filter = ("scope",)
    list_select_related = ("org",)
    search_fields = ("name", "org__slug")
    ordering = ("org", "scope", "name")


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnly):
    list_display = ("kind", "hostname", "pid", "version", "status", "slots", "started_at", "beat_at", "jobs_processed")
    list_filter = ("kind", "status")
    search_fields = ("hostname", "version")
    ordering = ("-started_at",)


@admin.register(LeaderTerm)
class LeaderTermAdmin(ReadOnly):
    list_display = ("epoch", "hostname", "pid", "elected_at", "beat_at", "ended_at")
    search_fields = ("hostname",)
    ordering = ("-epoch",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ("org", "version", "active", "samples", "created_at")
    list_filter = ("active",)
    list_select_related = ("org",)
    search_fields = ("org__slug",)
    # who promoted it may have been removed since: the pages of the organisation know
    exclude = ("weights", "promoted_by")
    ordering = ("-pk",)
    actions = ("promote",)

    @admin.action(description="Predict with it from now on")
    def promote(self, request: HttpRequest, rows: Any) -> None:
        use = partial(promote, request=request)
        each(self, request, rows, lambda one: use(one.version, scope=scope_in(request, one.org)))


@admin.register(Subscriber)
class SubscriberAdmin(ReadOnly):
    list_display = ("org", "kind", "target", "events", "active", "disabled_reason", "created_by", "created_at")
    list_filter = ("kind", "active")
    list_select_related = ("org", "created_by")
    search_fields = ("org__slug", "target")
    ordering = ("-pk",)
    exclude = ("secret", "previous_secret")


@admin.register(Delivery)
class DeliveryAdmin(Great):
    list_display = ("id", "subscriber_id", "event", "status", "attempt", "response_status", "created_at", "next_at")
    list_filter = (fixed("status", Delivery.STATES),)
    ordering = ("-pk",)
    exclude = ("data", "response_body")


@admin.register(AlertRule)
class AlertRuleAdmin(ReadOnly):
    list_display = ("org", "name", "kind", "threshold", "queue", "is_paused", "seen_value", "seen_at")
    list_filter = ("kind", "is_paused")
    list_select_related = ("org",)
    search_fields = ("org__slug", "name")
    ordering = ("org", "name")


@admin.register(Alert)
class AlertAdmin(ReadOnly):
    list_display = ("name", "org_id", "kind", "value", "worst", "raised_at", "cleared_at", "cleared_why")
    list_filter = ("kind", "raised_at")
    search_fields = ("name",)
    ordering = ("-pk",)


# The admin of one organisation is made with this one.
__all__ = ["admin_scoped"]
