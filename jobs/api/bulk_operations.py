"""Acts over many jobs: ask for one (or only how many it would be about), see how far it has come, stop it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, parsed_id
from jobs.api.fields import MomentField, QueueNameField, TagField, TextField
from jobs.api.filters import DeadLetterNarrowing, JobQuery, PageQuery, check_category, filters
from jobs.api.paging import key_page, page_response
from jobs.api.serializers import URGENCIES
from jobs.errors import BulkNotFound, JobNotFound
from jobs.listing import TooSlow
from jobs.models import BulkOperation, BulkOutcome, BulkState
from jobs.models.bulk import BulkOutcomeWord
from jobs.queue import bulk
from jobs.queue.bulk_kinds import KINDS
from orgs.removed_names import hide_by
from orgs.roles import Action
from orgs.scope import scope_of
from orgs.serializers import StrictSerializer

KIND_WORDS = list(KINDS)
STATE_WORDS = [str(word) for word in BulkState]
OUTCOME_WORDS = [str(word) for word in BulkOutcomeWord]


class BulkFilterSerializer(JobQuery, DeadLetterNarrowing):
    """Which jobs, in the words of the lists; all that are given must hold. Empty: every one that the kind is about."""

    limit = None  # type: ignore[assignment]
    cursor = None  # type: ignore[assignment]
    sort = None  # type: ignore[assignment]


class BulkParametersSerializer(StrictSerializer):
    """Of the kinds `urgency` and `queue`: what it is to be from now on. Of `tag` and `untag`: which tag."""

    urgency = serializers.ChoiceField(URGENCIES, required=False)
    queue = QueueNameField(required=False)
    tag = TagField(required=False)


class NewBulkOperationSerializer(StrictSerializer):
    """Either a `filter` or `ids`."""

    kind = serializers.ChoiceField(KIND_WORDS)
    filter = BulkFilterSerializer(required=False)
    ids = serializers.ListField(child=serializers.UUIDField(), required=False, min_length=1, max_length=bulk.MOST_IDS)
    parameters = BulkParametersSerializer(required=False)
    reason = TextField(required=False, default="", allow_blank=True, max_length=200)
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only count.")
    expected_count = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=bulk.COUNTED,
        help_text="409, and nothing is done, where it is about another number of jobs.",
    )
    rate = serializers.FloatField(
        required=False, min_value=0.01, max_value=bulk.MOST_RATE, help_text="No more than so many jobs a second."
    )
    undo_seconds = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=bulk.LONGEST_UNDO,
        help_text="Of `cancel` and `delete`: it begins so much later, and a stop until then leaves all as it was. "
        "Jobs that are named by `ids` do not start meanwhile.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("ids" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Give one of ids and filter.", "one_of")
        return attrs


class DryRunSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(KIND_WORDS)
    matched = serializers.IntegerField()
    more = serializers.BooleanField(help_text=f"There are more than {bulk.COUNTED}: they are not counted further.")


class BulkOperationSerializer(serializers.Serializer[BulkOperation]):
    """How far it has come."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(KIND_WORDS)
    state = serializers.ChoiceField(STATE_WORDS)
    filter = serializers.JSONField(source="query", help_text="As it was asked for; empty for a list of ids.")
    parameters = serializers.JSONField()
    reason = serializers.CharField(allow_blank=True)
    matched = serializers.IntegerField(allow_null=True, help_text="At the dry run.")
    matched_more = serializers.BooleanField(help_text="There were more than were counted.")
    done = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="They were not as the act needs them by then.")
    failed = serializers.IntegerField()
    rate = serializers.FloatField(allow_null=True)
    seconds_left = serializers.FloatField(allow_null=True, help_text="As fast as it goes; null where it is not known.")
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()
    start_at = MomentField(help_text="Not before this.")
    started_at = MomentField(allow_null=True)
    ended_at = MomentField(allow_null=True)
    ended_because = serializers.SerializerMethodField(help_text="Why it ended before all was done.")
    outcomes_url = serializers.SerializerMethodField()

    def get_ended_because(self, operation: BulkOperation) -> str:
        return hide_by([operation.ended_because]).get(operation.ended_because, operation.ended_because)

    def get_outcomes_url(self, operation: BulkOperation) -> str:
        return reverse("api-bulk-operation-outcomes", args=[operation.pk])


class BulkJobOutcomeSerializer(serializers.Serializer[BulkOutcome]):
    """What became of one job."""

    job_id = serializers.UUIDField()
    outcome = serializers.ChoiceField(OUTCOME_WORDS)
    words = serializers.CharField(allow_blank=True)
    at = MomentField()
    status_url = serializers.SerializerMethodField()

    @extend_schema_field(serializers.CharField())
    def get_status_url(self, outcome: BulkOutcome) -> str:
        return reverse("api-job", args=[outcome.job_id])


class OutcomeQuery(PageQuery):
    outcome = serializers.ChoiceField(OUTCOME_WORDS, required=False)


OTHER_COUNT = OpenApiResponse(description="It is about another number of jobs than `expected_count`.")
OVER = OpenApiResponse(description="It is over.")
LOCATION = OpenApiParameter("Location", str, OpenApiParameter.HEADER, response=[202])


class BulkOperationsView(OrgView):
    # of a kind more may be asked
    actions = {"GET": Action.READ, "POST": Action.CANCEL}

    @docs.listing("list_bulk_operations", "Bulk operations, the latest first", BulkOperationSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = BulkOperation.objects.for_org(self.scope.org).select_related("created_by").defer("job_ids")
        found, next_cursor = key_page(rows, "-id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, BulkOperationSerializer)

    @extend_schema(
        operation_id="start_bulk_operation",
        summary="Act on many jobs",
        description="On all that match a filter, or on some by their ids. The scheduler does it batch by batch; jobs "
        "that come after the call are left alone. `delete` takes an org_admin, the others an operator.",
        parameters=[LOCATION],
        request=NewBulkOperationSerializer,
        responses={
            200: OpenApiResponse(DryRunSerializer, description="A dry run: nothing is done."),
            202: OpenApiResponse(BulkOperationSerializer, description="It is stored, and begins soon."),
            409: OTHER_COUNT,
        },
        examples=[
            docs.body("How many would be cancelled", {"kind": "cancel", "filter": {"queue": "etl"}, "dry_run": True}),
            docs.body(
                "Replay all timeouts, ten a second",
                {"kind": "replay", "filter": {"error_type": "Timeout"}, "rate": 10.0, "reason": "The host is back"},
            ),
            docs.body(
                "Move what waits", {"kind": "queue", "filter": {"queue": "etl"}, "parameters": {"queue": "night"}}
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        sent = NewBulkOperationSerializer.read(request)
        scope = scope_of(request, KINDS[sent["kind"]].action)
        asked = asked_of(sent)
        check_category(sent.get("filter", {}), scope.org)
        try:
            counted = bulk.count(asked, scope)
        except TooSlow as error:
            text = "The database took too long to count them: narrow the filter, above all by created_after."
            raise ValidationError(text, "too_slow") from error
        if sent["dry_run"]:
            return Response({"kind": asked.kind, "matched": counted.jobs, "more": counted.more})
        expected = sent.get("expected_count")
        made = bulk.start(asked, scope=scope, counted=counted, expected=expected, request=request._request)
        where = {"Location": reverse("api-bulk-operation", args=[made.pk])}
        return Response(BulkOperationSerializer(made).data, status=202, headers=where)


def asked_of(sent: dict[str, Any]) -> bulk.Asked:
    return bulk.Asked(
        sent["kind"],
        filters=filters(sent.get("filter", {})),
        ids=sent.get("ids"),
        parameters=dict(sent.get("parameters", {})),
        reason=sent["reason"],
        rate=sent.get("rate"),
        undo_seconds=sent["undo_seconds"],
        query={name: plain(value) for name, value in sent.get("filter", {}).items()},
    )


def plain(value: Any) -> Any:
    """As it is kept, to be shown: in the words of a query."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


class BulkOperationView(OrgView):
    actions = {"GET": Action.READ}

    @extend_schema(
        operation_id="get_bulk_operation", summary="A bulk operation", responses={200: BulkOperationSerializer}
    )
    def get(self, request: Request, operation_id: str) -> Response:
        return Response(BulkOperationSerializer(operation_of(self, operation_id)).data)


class BulkOutcomesView(OrgView):
    actions = {"GET": Action.READ}

    @docs.listing(
        "list_bulk_outcomes",
        "What became of each job",
        BulkJobOutcomeSerializer,
        OutcomeQuery,
        f"In the order in which it was done; of each outcome the first {BulkOutcome.KEPT}.",
    )
    def get(self, request: Request, operation_id: str) -> Response:
        asked = OutcomeQuery.asked(request)
        operation = operation_of(self, operation_id)
        rows = BulkOutcome.objects.filter(operation_id=operation.pk, org_id=self.scope.org.pk)
        if "outcome" in asked:
            rows = rows.filter(outcome=asked["outcome"])
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, BulkJobOutcomeSerializer)


class BulkStopView(OrgView):
    actions = {"POST": Action.CANCEL}

    @extend_schema(
        operation_id="stop_bulk_operation",
        summary="Stop a bulk operation",
        description="No more is done; one that has not begun is undone, and its jobs are as they were.",
        request=None,
        responses={200: BulkOperationSerializer, 409: OVER},
    )
    def post(self, request: Request, operation_id: str) -> Response:
        bulk.stop(pk_of(operation_id), scope=self.scope, request=request._request)
        return Response(BulkOperationSerializer(operation_of(self, operation_id)).data)


def pk_of(text: str) -> UUID:
    """Raises BulkNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise BulkNotFound from None


def operation_of(view: OrgView, text: str) -> BulkOperation:
    rows = BulkOperation.objects.for_org(view.scope.org).select_related("created_by").defer("job_ids")
    found = rows.filter(pk=pk_of(text)).first()
    if found is None:
        raise BulkNotFound
    return found
