"""What an org_admin with the staff flag sees of queues, schedules and models, in the admin of his organisation."""

import json
from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from jobs.hiding import hide
from jobs.models import ModelVersion, Queue, Schedule
from jobs.queue import schedules
from jobs.queue.control import pause, resume
from jobs.queue.versions import promote
from orgs.admin_parts import OfOrg, ReasonForm, each, reason_of, scope_here
from orgs.admin_site import org_admin_site


@admin.register(Queue, site=org_admin_site)
class QueueSection(OfOrg):
    list_display = ("name", "policy", "paused_at", "paused_by", "pause_reason")
    list_filter = ("policy", "paused_at")
    list_select_related = ("paused_by",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "policy", "paused_at", "pause_reason")
    actions = ("pause", "resume")
    action_form = ReasonForm

    @admin.action(description="Pause: no job of them starts")
    def pause(self, request: HttpRequest, rows: Any) -> None:
        stop = partial(pause, scope=scope_here(request), request=request, reason=reason_of(request))
        each(self, request, rows, lambda queue: stop(queue.name))

    @admin.action(description="Let them go on")
    def resume(self, request: HttpRequest, rows: Any) -> None:
        each(self, request, rows, lambda queue: resume(queue.name, scope=scope_here(request), request=request))


@admin.register(Schedule, site=org_admin_site)
class ScheduleSection(OfOrg):
    list_display = ("name", "cron", "timezone", "is_paused", "next_at", "last_at")
    list_filter = ("is_paused", "missed")
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "cron", "timezone", "missed", "is_paused", "shown_job", "next_at", "last_at", "last_error")
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
        change = partial(schedules.change, scope=scope_here(request), version=None, request=request, is_paused=paused)
        each(self, request, rows, lambda schedule: change(schedule.pk))


@admin.register(ModelVersion, site=org_admin_site)
class ModelSection(OfOrg):
    list_display = ("version", "active", "samples", "reason", "created_at")
    list_filter = ("active",)
    search_fields = ("reason",)
    ordering = ("-version",)
    fields = ("version", "active", "samples", "reason", "created_at")
    actions = ("promote",)

    @admin.action(description="Predict with it from now on")
    def promote(self, request: HttpRequest, rows: Any) -> None:
        use = partial(promote, scope=scope_here(request), request=request)
        each(self, request, rows, lambda one: use(one.version))
