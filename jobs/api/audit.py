"""The audit trail of an organisation: who did what, from where, for those who may see it."""

from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery, QuerySerializer
from jobs.api.history import AsItIs
from jobs.api.paging import key_page, page_of, page_response
from jobs.audit_list import FORMS, AuditFilters, audit_of, export, shown
from jobs.listing import TooSlow, bounded
from orgs import walls
from orgs.roles import Action

TOO_SLOW = "The database took too long over this list: narrow it, above all by after."


class AuditEntrySerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    at = MomentField()
    actor = serializers.CharField(
        help_text="The username at that time; `removed user` and an id, where the account was removed; empty when it "
        "was nobody who is known."
    )
    key = serializers.CharField(help_text="The prefix of the key that was shown, where it was one; else empty.")
    action = serializers.CharField(help_text="Such as `job.cancel`, `member.role`, `auth.login_failed`.")
    target = serializers.CharField(help_text="What it was done to: an id, a name, a path.")
    detail = serializers.DictField(help_text="What changed, as `old` and `new`, and why, as `reason`.")
    address = serializers.IPAddressField(allow_null=True)
    correlation_id = serializers.CharField()


ENTRIES = page_of(AuditEntrySerializer)


class AuditNarrowing(QuerySerializer):
    """Which entries."""

    actor = TextField(required=False, max_length=64, help_text="Exactly this username.")
    action = TextField(required=False, max_length=64, help_text="Exactly this action.")
    target = TextField(required=False, max_length=128, help_text="Exactly this target.")
    correlation_id = TextField(required=False, max_length=128)
    address = serializers.IPAddressField(required=False, help_text="From exactly this address.")
    job = serializers.UUIDField(
        required=False, help_text="What was done to this job: alone, with its batch, or among others."
    )
    after = MomentField(required=False, help_text="At this time or later.")
    before = MomentField(required=False, help_text="Before this time.")


class AuditQuery(PageQuery, AuditNarrowing):
    """A page of them, the latest first."""


class AuditExportQuery(AuditNarrowing):
    form = serializers.ChoiceField(list(FORMS))


def filters(asked: dict[str, Any]) -> AuditFilters:
    return AuditFilters(**{name: asked[name] for name in AuditFilters.__dataclass_fields__ if name in asked})


def answer(view: OrgView, narrowed: AuditFilters, asked: dict[str, Any]) -> Response:
    try:
        with bounded():
            rows = audit_of(view.scope, narrowed)
            found, next_cursor = key_page(rows, "-at", "-id", limit=asked["limit"], cursor=asked["cursor"])
    except TooSlow as error:
        raise ValidationError(TOO_SLOW, "too_slow") from error
    return page_response(view.request, shown(found), next_cursor, AuditEntrySerializer)


class AuditView(OrgView):
    actions = {"GET": Action.SEE_AUDIT}

    @extend_schema(
        operation_id="list_audit",
        summary="The audit trail, the latest first",
        description="Every act of people and of keys in the organisation, denied ones too. For org_admins.",
        parameters=[AuditQuery],
        responses={200: ENTRIES},
    )
    def get(self, request: Request) -> Response:
        asked = AuditQuery.asked(request)
        return answer(self, filters(asked), asked)


class JobAuditView(OrgView):
    actions = {"GET": Action.SEE_AUDIT}

    @extend_schema(
        operation_id="list_job_audit",
        summary="What people did to a job, the latest first",
        parameters=[PageQuery],
        responses={200: ENTRIES},
    )
    def get(self, request: Request, job_id: str) -> Response:
        asked = PageQuery.asked(request)
        return answer(self, AuditFilters(job=self.job(job_id).pk), asked)


class AuditExportView(OrgView):
    actions = {"GET": Action.SEE_AUDIT}
    content_negotiation_class = AsItIs

    @extend_schema(
        operation_id="export_audit",
        summary="The audit trail as a file",
        description="As CSV (RFC 4180, no cell is a formula) or JSON lines, the earliest first, of any length. "
        "That it was taken is in the trail.",
        parameters=[AuditExportQuery],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = AuditExportQuery.asked(request)
        return file_of(self.scope, filters(asked), asked["form"], request._request)


def file_of(scope: Any, narrowed: AuditFilters, form: str, request: Any) -> StreamingHttpResponse:
    """Streamed, always as a download."""
    pieces = walls.carried(export(scope, narrowed, form, request))
    response = StreamingHttpResponse(pieces, content_type=FORMS[form][0])
    name = f"audit-{scope.org.slug}-{timezone.now():%Y%m%dT%H%M%SZ}.{form}"
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
