"""What platform admins may look at, over all organisations. Jobs are moved by the queue's verbs only."""

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.utils.functional import cached_property

from jobs.hiding import hide
from jobs.models import Job, LeaderTerm, ModelVersion, Queue, WorkerProcess
from orgs.admin import ReadOnly

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


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "org", "type", "name", "queue", "status", "created_at", "created_by")
    list_filter = ("status", "type", "urgency")
    list_select_related = ("org", "created_by")
    search_fields = ("^name", "^correlation_id")
    ordering = ("-pk",)
    paginator = BoundedPaginator
    show_full_result_count = False
    exclude = ("payload",)
    readonly_fields = ("shown_payload",)

    @admin.display(description="Payload")
    def shown_payload(self, job: Job) -> str:
        return json.dumps(hide(job.payload), indent=2, ensure_ascii=False)


@admin.register(Queue)
class QueueAdmin(ReadOnly):
    list_display = ("org", "name", "paused_at", "paused_by", "pause_reason")
    list_select_related = ("org", "paused_by")
    search_fields = ("name", "org__slug")
    ordering = ("org", "name")


@admin.register(WorkerProcess)
class WorkerProcessAdmin(ReadOnly):
    list_display = ("kind", "hostname", "pid", "version", "status", "slots", "started_at", "beat_at", "jobs_processed")
    list_filter = ("kind", "status")
    ordering = ("-started_at",)


@admin.register(LeaderTerm)
class LeaderTermAdmin(ReadOnly):
    list_display = ("epoch", "hostname", "pid", "elected_at", "beat_at", "ended_at")
    ordering = ("-epoch",)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ("org", "version", "active", "samples", "created_at")
    list_select_related = ("org",)
    exclude = ("weights",)
    ordering = ("-pk",)
