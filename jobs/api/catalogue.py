"""What there is to submit, and where it waits: job types and queues."""

from collections import defaultdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.shapes import JobTypesSerializer, PauseSerializer, PolicySerializer, QueueSerializer
from jobs.errors import JobNotFound
from jobs.handlers import registry
from jobs.handlers.python_task import tasks
from jobs.models import Queue
from jobs.queue import control, sql
from jobs.queue.enqueue import QUEUE_NAME
from jobs.states import Status
from orgs.models import Org
from orgs.roles import Action


class JobTypesView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_job_types
    def get(self, request: Request) -> Response:
        """A deployment's own few: not paged."""
        items = []
        for word in registry.offered():
            handler = registry.get(word)
            items.append(
                {
                    "type": handler.type,
                    "title": handler.title,
                    "description": handler.description,
                    "schema": handler.schema,
                    "example": handler.example,
                    "tasks": tasks() if word == "python" else [],
                }
            )
        return Response(JobTypesSerializer({"items": items}).data)


class QueuesView(OrgView):
    actions = {"GET": Action.READ}

    @docs.list_queues
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Queue.objects.for_org(self.scope.org).select_related("paused_by")
        queues, next_cursor = key_page(rows, "name", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, counted(queues, self.scope.org), next_cursor, QueueSerializer)


def counted(queues: list[Queue], org: Org) -> list[Queue]:
    """With `counts`, from the counters that each move keeps."""
    known: defaultdict[str, dict[str, int]] = defaultdict(lambda: {str(status): 0 for status in Status})
    for row in sql.run("org_counts", org_id=org.pk):
        known[row.queue][row.status] = row.jobs
    for queue in queues:
        queue.counts = known[queue.name]  # type: ignore[attr-defined]
    return queues


def known(name: str) -> None:
    """Raise JobNotFound for what can be no queue's name, and may be nothing a query takes."""
    if not QUEUE_NAME.fullmatch(name):
        raise JobNotFound(f"There is no queue {name!r:.60}.")


class OneQueueView(OrgView):
    def shown(self, name: str) -> Any:
        queue = Queue.objects.for_org(self.scope.org).select_related("paused_by").get(name=name)
        return QueueSerializer(counted([queue], self.scope.org)[0]).data


class QueueView(OneQueueView):
    actions = {"PATCH": Action.PAUSE}

    @docs.change_queue
    def patch(self, request: Request, name: str) -> Response:
        sent = PolicySerializer.read(request)
        known(name)
        control.order_by(name, sent["policy"] or "", scope=self.scope, request=request._request)
        return Response(self.shown(name))


class PauseView(OneQueueView):
    actions = {"POST": Action.PAUSE, "DELETE": Action.PAUSE}

    @docs.pause
    def post(self, request: Request, name: str) -> Response:
        sent = PauseSerializer.read(request)
        known(name)
        control.pause(name, scope=self.scope, request=request._request, reason=sent["reason"])
        return Response(self.shown(name))

    @docs.resume
    def delete(self, request: Request, name: str) -> Response:
        known(name)
        control.resume(name, scope=self.scope, request=request._request)
        return Response(self.shown(name))
