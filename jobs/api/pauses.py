"""Pauses of kinds of jobs and of the whole organisation: see, make, end."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView, parsed_id
from jobs.api.fields import MomentField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.api.shapes import PauseSerializer
from jobs.errors import JobNotFound, PauseNotFound
from jobs.models import Pause
from jobs.queue import pauses
from orgs.roles import Action


class NewPauseSerializer(PauseSerializer):
    """What to pause."""

    type = TextField(allow_blank=True, max_length=32, help_text="Empty: the whole organisation. It has to be said.")
    name = TextField(
        required=False, default="", allow_blank=True, max_length=64, help_text="Of jobs of this type; empty: all."
    )


class KindPauseSerializer(serializers.Serializer[Pause]):
    """A pause of a kind of jobs, or of the organisation."""

    id = serializers.UUIDField()
    type = serializers.CharField(allow_blank=True, help_text="Empty: of the whole organisation.")
    name = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    paused_at = MomentField()
    paused_by = serializers.CharField(source="paused_by.username", default=None, allow_null=True)
    resume_at = MomentField(allow_null=True, help_text="When it ends by itself.")


class PausesView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.PAUSE}

    @docs.listing("list_pauses", "What is paused besides queues", KindPauseSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = Pause.objects.for_org(self.scope.org).select_related("paused_by")
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, KindPauseSerializer)

    @extend_schema(
        operation_id="pause_kind",
        summary="Pause a kind of jobs, or the whole organisation",
        description="None of these starts from now on, in whichever queue; running ones go on, new ones wait. What is "
        "paused already gets this reason and end.",
        request=NewPauseSerializer,
        responses={201: KindPauseSerializer, 200: KindPauseSerializer},
        examples=[
            docs.body("A kind", {"type": "python", "name": "nightly-sum", "reason": "The sums are wrong"}),
            docs.body("All, for an hour", {"type": "", "reason": "Upgrade", "resume_in_seconds": 3600}),
        ],
    )
    def post(self, request: Request) -> Response:
        sent = NewPauseSerializer.read(request)
        pause, created = pauses.pause_kind(**sent, scope=self.scope, request=request._request)
        return Response(KindPauseSerializer(pause).data, status=201 if created else 200)


class PauseView(OrgView):
    actions = {"DELETE": Action.PAUSE}

    @extend_schema(
        operation_id="resume_kind",
        summary="End a pause",
        description="Its jobs start again.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, pause_id: str) -> Response:
        pauses.resume_kind(pk_of(pause_id), scope=self.scope, request=request._request)
        return Response(status=204)


def pk_of(text: str) -> UUID:
    """Raises PauseNotFound for what is no id."""
    try:
        return parsed_id(text)
    except JobNotFound:
        raise PauseNotFound from None
