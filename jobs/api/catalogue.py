"""What there is to submit, and where it waits: job types and queues."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.conditional import expected_version, with_etag
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.shapes import (
    JobTypesSerializer,
    PauseSerializer,
    QueueChangeSerializer,
    QueueSerializer,
    WhySerializer,
)
from jobs.errors import JobNotFound
from jobs.handlers import registry
from jobs.handlers.python_task import tasks
from jobs.models import Queue
from jobs.queue import control, queue_control
from jobs.queue.brief import brief
from jobs.queue.enqueue import QUEUE_NAME
from jobs.queue.queue_facts import facts_of, pauses_of
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
        rows = Queue.objects.for_org(self.scope.org).select_related("paused_by", "closed_by")
        queues, next_cursor = key_page(rows, "name", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(
            request, facts_of(queues, self.scope.org, pauses_of(self.scope.org)), next_cursor, QueueSerializer
        )


def known(name: str) -> None:
    """Raise JobNotFound for what can be no queue's name, and may be nothing a query takes."""
    if not QUEUE_NAME.fullmatch(name):
        raise JobNotFound(f"There is no queue {name!r:.60}.")


class OneQueueView(OrgView):
    def shown(self, name: str) -> Response:
        """Its tag is of what people set, which they change; not of how many jobs it has at the moment."""
        queue = Queue.objects.for_org(self.scope.org).select_related("paused_by", "closed_by").filter(name=name).first()
        if queue is None:
            raise JobNotFound(f"There is no queue {name!r:.60}.")
        return with_etag(
            Response(QueueSerializer(facts_of([queue], self.scope.org, pauses_of(self.scope.org))[0]).data),
            queue.version,
        )


class QueueView(OneQueueView):
    actions = {"GET": Action.READ, "PATCH": Action.PAUSE}

    @docs.get_queue
    def get(self, request: Request, name: str) -> Response:
        known(name)
        return self.shown(name)

    @docs.change_queue
    def patch(self, request: Request, name: str) -> Response:
        sent = QueueChangeSerializer.read(request)
        known(name)
        version = expected_version(request)
        caller: dict[str, Any] = {"scope": self.scope, "request": request._request}
        with brief():
            if "policy" in sent:
                control.order_by(name, sent["policy"] or "", version=version, **caller)
            if "target_seconds" in sent:
                # the change before was of that version
                version = None if "policy" in sent else version
                queue_control.set_target(name, sent["target_seconds"], version=version, **caller)
        return self.shown(name)


class PauseView(OneQueueView):
    actions = {"POST": Action.PAUSE, "DELETE": Action.PAUSE}

    @docs.pause
    def post(self, request: Request, name: str) -> Response:
        sent = PauseSerializer.read(request)
        known(name)
        version = expected_version(request, needed=False)
        control.pause(name, scope=self.scope, request=request._request, version=version, **sent)
        return self.shown(name)

    @docs.resume
    def delete(self, request: Request, name: str) -> Response:
        known(name)
        version = expected_version(request, needed=False)
        control.resume(name, scope=self.scope, request=request._request, version=version)
        return self.shown(name)


class ClosingView(OneQueueView):
    actions = {"POST": Action.PAUSE, "DELETE": Action.PAUSE}

    @docs.close_queue
    def post(self, request: Request, name: str) -> Response:
        sent = WhySerializer.read(request)
        known(name)
        version = expected_version(request, needed=False)
        queue_control.close(name, scope=self.scope, request=request._request, version=version, **sent)
        return self.shown(name)

    @docs.reopen_queue
    def delete(self, request: Request, name: str) -> Response:
        known(name)
        version = expected_version(request, needed=False)
        queue_control.reopen(name, scope=self.scope, request=request._request, version=version)
        return self.shown(name)
