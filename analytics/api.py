"""The numbers over REST: each view asks one question of the caller's organisation."""

from collections.abc import Iterator
from contextlib import contextmanager

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from analytics import pool, queries
from analytics.serializers import (
    CommandSerializer,
    DepthSerializer,
    FlowQuery,
    HoursQuery,
    LeaderSerializer,
    OrgCountsSerializer,
    PredictionsSerializer,
    ProcessSerializer,
    SummarySerializer,
    ThroughputSerializer,
)
from jobs.api.base import OrgView, parsed_id
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_of, page_response
from jobs.errors import JobNotFound, WorkerNotFound
from jobs.listing import TooSlow, bounded
from jobs.queue.worker_control import tell
from orgs.models import Org
from orgs.roles import Action

TAGS = ["analytics"]


class NumbersView(OrgView):
    actions = {"GET": Action.READ}


class CountsView(NumbersView):
    @extend_schema(tags=TAGS, operation_id="get_counts", summary="Jobs by status, exact", responses=OrgCountsSerializer)
    def get(self, request: Request) -> Response:
        return Response(OrgCountsSerializer(queries.counts(self.scope.org)).data)


class WorkersView(NumbersView):
    @extend_schema(
        tags=TAGS,
        operation_id="list_workers",
        summary="The pool: workers, schedulers and watchdogs",
        description="Those that live, or ended in the last hour, the newest first. They serve all organisations, but "
        "for your own workers.",
        parameters=[PageQuery],
        responses=page_of(ProcessSerializer),
    )
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        found, following = key_page(pool.processes(self.scope.org), "-id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, pool.seen(self.scope.org, found), following, ProcessSerializer)


class WorkerView(NumbersView):
    @extend_schema(tags=TAGS, operation_id="get_worker", summary="One worker", responses=ProcessSerializer)
    def get(self, request: Request, worker_id: str) -> Response:
        return Response(ProcessSerializer(one_of(worker_id, self.scope.org)).data)


class WorkerCommandView(NumbersView):
    actions = {"POST": Action.COMMAND_WORKERS}

    @extend_schema(
        tags=TAGS,
        operation_id="command_worker",
        summary="Tell a worker what to do",
        description="`quiet`: take no more jobs; `resume`: take them again; `stop`: finish what runs, and end. The "
        "worker says when it does it (`obeyed_at`). Workers of the deployment are told by platform admins.",
        request=CommandSerializer,
        responses={202: ProcessSerializer, 409: OpenApiResponse(description="It has ended, or is ending.")},
        examples=[OpenApiExample("Before maintenance", {"command": "quiet", "reason": "disk"}, request_only=True)],
    )
    def post(self, request: Request, worker_id: str) -> Response:
        sent = CommandSerializer.read(request)
        pk = one_of(worker_id, self.scope.org).process.pk
        tell(pk, sent["command"], scope=self.scope, request=request._request, reason=sent["reason"])
        return Response(ProcessSerializer(one_of(worker_id, self.scope.org)).data, status=202)


def one_of(text: str, org: Org) -> pool.Seen:
    """Raises WorkerNotFound."""
    try:
        found = list(pool.processes(org, gone_too=True).filter(pk=parsed_id(text), kind="worker"))
    except JobNotFound:
        found = []
    if not found:
        raise WorkerNotFound
    return pool.seen(org, found)[0]


class LeaderView(NumbersView):
    @extend_schema(tags=TAGS, operation_id="get_leader", summary="Who leads the schedulers", responses=LeaderSerializer)
    def get(self, request: Request) -> Response:
        return Response(LeaderSerializer(pool.leader()).data)


class ThroughputView(NumbersView):
    @extend_schema(
        tags=TAGS,
        operation_id="get_throughput",
        summary="Attempts that ended, per interval, and how long they waited and ran",
        description="From sums that the leader keeps, a few seconds late.",
        parameters=[FlowQuery],
        responses=ThroughputSerializer,
    )
    def get(self, request: Request) -> Response:
        with in_time():
            found = queries.throughput(self.scope.org, **FlowQuery.asked(request))
        return Response(ThroughputSerializer(found).data)


class DepthView(NumbersView):
    @extend_schema(
        tags=TAGS,
        operation_id="get_depth",
        summary="Waiting and running jobs over time",
        description="The most at one moment of each interval, over all queues, as the leader sampled them.",
        parameters=[HoursQuery],
        responses=DepthSerializer,
    )
    def get(self, request: Request) -> Response:
        hours = HoursQuery.asked(request)["hours"]
        with in_time():
            found = queries.depth(self.scope.org, hours)
        return Response(DepthSerializer(found).data)


class PredictionsView(NumbersView):
    @extend_schema(
        tags=TAGS,
        operation_id="get_predictions",
        summary="Predicted and actual run times",
        description="The last runs one by one, and how near the predictions came over time, as the leader summed it up "
        "while runs ended: a few seconds late.",
        parameters=[HoursQuery],
        responses=PredictionsSerializer,
    )
    def get(self, request: Request) -> Response:
        hours = HoursQuery.asked(request)["hours"]
        with in_time():
            points, over_time = queries.predictions(self.scope.org), queries.accuracy_over_time(self.scope.org, hours)
        found = {"accuracy": queries.accuracy(points), "points": points, "over_time": over_time}
        return Response(PredictionsSerializer(found).data)


class SummaryView(NumbersView):
    @extend_schema(
        tags=TAGS,
        operation_id="get_summary",
        summary="Success, waits and run times",
        description="The counts are exact at the moment of asking. The rest is from sums that the leader keeps, a few "
        "seconds late: over all attempts, with quantiles within 4.5 %.",
        parameters=[HoursQuery],
        responses=SummarySerializer,
    )
    def get(self, request: Request) -> Response:
        hours = HoursQuery.asked(request)["hours"]
        with in_time():
            found = queries.summary(self.scope.org, hours)
        return Response(SummarySerializer(found).data)


@contextmanager
def in_time() -> Iterator[None]:
    """No more of the database than any list may have."""
    try:
        with bounded():
            yield
    except TooSlow as error:
        raise ValidationError({"hours": "The database took too long over this: ask for fewer hours."}) from error
