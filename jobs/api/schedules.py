"""Jobs that are submitted again and again, by cron: make, see, change, remove, run now."""

from itertools import islice
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, address, correlation_id, idempotency_key, parsed_id
from jobs.api.conditional import expected_version, with_etag
from jobs.api.fields import MomentField, NameField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.serializers import JobSerializer, NewJobSerializer
from jobs.api.views import representation, submitted
from jobs.cron import NAMES
from jobs.errors import JobNotFound, ScheduleNotFound
from jobs.models import Missed, Schedule, ScheduleTick
from jobs.queue import schedules
from orgs.roles import Action
from orgs.serializers import StrictSerializer

NEXT_RUNS = 5
MISSED_WORDS = (
    "What becomes of times that passed while no scheduler led, or later than a minute: `skip` them, submit `once` for "
    "all of them, or `all`, up to a hundred."
)


class ScheduledJobSerializer(NewJobSerializer):
    """What each submit asks for: a job without a time of its own."""

    run_at = None  # type: ignore[assignment]
    delay_seconds = None  # type: ignore[assignment]
    after = None  # type: ignore[assignment]
    after_end = None  # type: ignore[assignment]


class NewScheduleSerializer(StrictSerializer):
    """A schedule to make."""

    name = NameField(max_length=schedules.LONGEST_NAME, help_text="Of one schedule in the organisation.")
    cron = TextField(max_length=100, help_text=f"Five fields, as in crontab(5), or {', '.join(NAMES)}.")
    timezone = TextField(required=False, max_length=64, help_text="An IANA name such as Europe/Berlin. Default UTC.")
    missed = serializers.ChoiceField(Missed.values, required=False, help_text=MISSED_WORDS + " Default `once`.")
    is_paused = serializers.BooleanField(required=False)
    job = ScheduledJobSerializer()


class ScheduleChangeSerializer(NewScheduleSerializer):
    """What is to be changed of a schedule; `job` is replaced as a whole."""

    name = NameField(required=False, max_length=schedules.LONGEST_NAME)
    cron = TextField(required=False, max_length=100)
    job = ScheduledJobSerializer(required=False)
    reason = TextField(
        required=False, allow_blank=True, max_length=200, help_text="Of a pause; with any change in the audit trail."
    )


class ScheduleSummarySerializer(serializers.Serializer[Schedule]):
    """A schedule in a list."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    cron = serializers.CharField()
    timezone = serializers.CharField()
    missed = serializers.ChoiceField(Missed.values)
    is_paused = serializers.BooleanField()
    paused_at = MomentField(allow_null=True)
    paused_by = serializers.CharField(source="paused_by.username", default=None, allow_null=True)
    pause_reason = serializers.CharField(allow_blank=True)
    next_at = MomentField(allow_null=True, help_text="When it is due; null while it is paused.")
    last_at = MomentField(allow_null=True, help_text="When it was due last.")
    last_error = serializers.CharField(allow_blank=True, help_text="Why the last time brought no job.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()
    updated_at = MomentField()


class ScheduleSerializer(ScheduleSummarySerializer):
    """A schedule, whole."""

    words = serializers.SerializerMethodField(help_text="The cron expression in words.")
    next_runs = serializers.SerializerMethodField(help_text="The next five times, in its own time zone.")
    job = ScheduledJobSerializer(help_text="What each submit asks for.")

    def get_words(self, schedule: Schedule) -> str:
        return str(schedules.cron_of(schedule).words)

    @extend_schema_field(serializers.ListField(child=serializers.DateTimeField()))
    def get_next_runs(self, schedule: Schedule) -> list[str]:
        if schedule.next_at is None:
            return []
        cron = schedules.cron_of(schedule)
        later = islice(cron.after(schedule.next_at), NEXT_RUNS - 1)
        return [at.astimezone(cron.zone).isoformat() for at in (schedule.next_at, *later)]


class TickSerializer(serializers.Serializer[ScheduleTick]):
    """A time that a schedule was due."""

    at = MomentField()
    outcome = serializers.ChoiceField([ScheduleTick.FIRED, ScheduleTick.MISSED, ScheduleTick.REFUSED])
    job_id = serializers.UUIDField(allow_null=True)
    status_url = serializers.SerializerMethodField()
    error = serializers.CharField(allow_blank=True)
    fired_at = MomentField(help_text="When the leader acted on it.")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_status_url(self, tick: ScheduleTick) -> str | None:
        return reverse("api-job", args=[tick.job_id]) if tick.job_id else None


TAKEN = OpenApiResponse(description="There is one of this name.")
NIGHTLY = {
    "name": "nightly-sum",
    "cron": "30 2 * * 1-5",
    "timezone": "Europe/Berlin",
    "job": {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, "queue": "reports"},
}


class SchedulesView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.MANAGE_SCHEDULES}

    @docs.listing("list_schedules", "Schedules", ScheduleSummarySerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Schedule.objects.for_org(self.scope.org).select_related("created_by", "paused_by")
        found, next_cursor = key_page(rows, "name", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, ScheduleSummarySerializer)

    @extend_schema(
        operation_id="create_schedule",
        summary="Make a schedule",
        description="The leader submits its job each time that the expression is due, once.",
        request=NewScheduleSerializer,
        parameters=[docs.ETAG],
        responses={201: ScheduleSerializer, 409: TAKEN},
        examples=[docs.body("On working days at half past two", NIGHTLY)],
    )
    def post(self, request: Request) -> Response:
        sent = NewScheduleSerializer.read(request)
        schedule = schedules.create(scope=self.scope, request=request._request, **sent)
        where = {"Location": reverse("api-schedule", args=[schedule.pk])}
        return with_etag(Response(ScheduleSerializer(schedule).data, status=201, headers=where), schedule.version)


class ScheduleView(OrgView):
    actions = {"GET": Action.READ, "PATCH": Action.MANAGE_SCHEDULES, "DELETE": Action.MANAGE_SCHEDULES}

    @extend_schema(
        operation_id="get_schedule",
        summary="A schedule",
        parameters=[docs.ETAG],
        responses={200: ScheduleSerializer},
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        schedule = schedule_of(self, schedule_id)
        return with_etag(Response(ScheduleSerializer(schedule).data), schedule.version)

    @extend_schema(
        operation_id="change_schedule",
        summary="Change, pause or resume a schedule",
        description="What is left out stays. Times that passed while it was paused are not made up for.",
        request=ScheduleChangeSerializer,
        parameters=[docs.IF_MATCH, docs.ETAG],
        responses={200: ScheduleSerializer, 409: TAKEN, 412: docs.CHANGED, 428: docs.UNSAID},
        examples=[
            docs.body("Pause it", {"is_paused": True, "reason": "Holidays"}),
            docs.body("Every hour", {"cron": "@hourly"}),
        ],
    )
    def patch(self, request: Request, schedule_id: str) -> Response:
        sent = ScheduleChangeSerializer.read(request)
        version = expected_version(request)
        schedule = schedules.change(
            pk_of(schedule_id), scope=self.scope, version=version, request=request._request, **sent
        )
        return with_etag(Response(ScheduleSerializer(schedule).data), schedule.version)

    @extend_schema(
        operation_id="remove_schedule",
        summary="Remove a schedule",
        description="The jobs that it brought stay.",
        request=None,
        parameters=[docs.IF_MATCH],
        responses={204: None, 412: docs.CHANGED, 428: docs.UNSAID},
    )
    def delete(self, request: Request, schedule_id: str) -> Response:
        version = expected_version(request)
        schedules.remove(pk_of(schedule_id), scope=self.scope, version=version, request=request._request)
        return Response(status=204)


class ScheduleRunView(OrgView):
    actions = {"POST": Action.SUBMIT}
    submits = True

    @extend_schema(
        operation_id="run_schedule",
        summary="Submit the job of a schedule now",
        description="In your name. When it is due next does not change.",
        request=None,
        parameters=[docs.KEY, docs.LOCATION, docs.REPLAYED],
        responses={
            201: OpenApiResponse(JobSerializer, description="Stored."),
            200: OpenApiResponse(JobSerializer, description="A repeat: the job that the key brought before."),
            409: docs.CLOSED,
            422: docs.KEY_REUSED,
        },
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        found = schedules.run_now(
            schedule_of(self, schedule_id),
            scope=self.scope,
            key=idempotency_key(request),
            correlation_id=correlation_id(request),
            address=address(request),
        )
        return submitted(found, representation(self.stored(found)), reverse("api-job", args=[found.job_id]))


class ScheduleTicksView(OrgView):
    actions = {"GET": Action.READ}

    @docs.listing("list_schedule_ticks", "When a schedule was due, the latest first", TickSerializer, PageQuery)
    def get(self, request: Request, schedule_id: str) -> Response:
        asked = PageQuery.asked(request)
        rows = ScheduleTick.objects.filter(schedule=schedule_of(self, schedule_id))
        ticks, next_cursor = key_page(rows, "-at", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, ticks, next_cursor, TickSerializer)


def pk_of(text: str) -> UUID:
    """Raises ScheduleNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise ScheduleNotFound from None


def schedule_of(view: OrgView, text: str) -> Schedule:
    rows = Schedule.objects.for_org(view.scope.org).select_related("created_by", "paused_by")
    found = rows.filter(pk=pk_of(text)).first()
    if found is None:
        raise ScheduleNotFound
    return found
