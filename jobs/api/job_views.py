"""Filters of the list of jobs under a name: a member's own, or everybody's in the organisation."""

import re
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api import docs
from jobs.api.base import OrgView
from jobs.api.fields import MomentField, NameField, TextField
from jobs.api.filters import PageQuery
from jobs.api.paging import key_page, page_response
from jobs.errors import ViewNotFound
from jobs.models import SavedView
from jobs.search import saved
from orgs.roles import Action
from orgs.serializers import StrictSerializer

ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
QUERY = "The query of the page /jobs/: `status=failed&queue=reports`. What is no filter or order is left out."


class NewJobViewSerializer(StrictSerializer):
    """A view to save."""

    name = NameField(max_length=saved.LONGEST_NAME)
    query = TextField(required=False, default="", allow_blank=True, max_length=saved.LONGEST_QUERY, help_text=QUERY)
    shared = serializers.BooleanField(required=False, default=False, help_text="All see it. Only org admins share.")


class JobViewChangeSerializer(StrictSerializer):
    """What is to be otherwise."""

    name = NameField(required=False, max_length=saved.LONGEST_NAME)
    query = TextField(required=False, allow_blank=True, max_length=saved.LONGEST_QUERY, help_text=QUERY)
    shared = serializers.BooleanField(required=False)
    first = serializers.BooleanField(required=False, help_text="Whether the page begins with it, for you.")


class JobViewSerializer(serializers.Serializer[SavedView]):
    """A saved view."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    query = serializers.CharField(allow_blank=True)
    shared = serializers.SerializerMethodField()
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    created_at = MomentField()

    def get_shared(self, view: SavedView) -> bool:
        return view.owner_id is None


def view_id_of(text: str) -> int:
    if not ID.fullmatch(text):
        raise ViewNotFound
    return int(text)


KEPT = OpenApiResponse(description="There is one of this name (`name_taken`), or you are no member (`no_member`).")


class JobViewsView(OrgView):
    actions = {"GET": Action.READ, "POST": Action.READ}

    @docs.listing("list_job_views", "Saved views", JobViewSerializer, PageQuery)
    def get(self, request: Request) -> Response:
        asked = PageQuery.asked(request)
        rows = saved.seen_by(self.scope).select_related("created_by")
        found, next_cursor = key_page(rows, "id", limit=asked["limit"], cursor=asked["cursor"])
        return page_response(request, found, next_cursor, JobViewSerializer)

    @extend_schema(
        operation_id="create_job_view",
        summary="Save a view",
        request=NewJobViewSerializer,
        parameters=[docs.LOCATION],
        responses={201: JobViewSerializer, 409: KEPT},
        examples=[docs.body("What failed today", {"name": "Failed today", "query": "status=failed&within=24h"})],
    )
    def post(self, request: Request) -> Response:
        asked = NewJobViewSerializer.read(request)
        view = saved.create(scope=self.scope, request=request._request, **asked)
        where = {"Location": reverse("api-job-view", args=[view.pk])}
        return Response(JobViewSerializer(view).data, status=201, headers=where)


class JobViewView(OrgView):
    actions = {"GET": Action.READ, "PATCH": Action.READ, "DELETE": Action.READ}

    @extend_schema(operation_id="get_job_view", summary="A saved view", responses={200: JobViewSerializer})
    def get(self, request: Request, view_id: str) -> Response:
        return Response(JobViewSerializer(saved.view_of(self.scope, view_id_of(view_id))).data)

    @extend_schema(
        operation_id="change_job_view",
        summary="Change a saved view",
        description="Those that are shared are changed by org admins.",
        request=JobViewChangeSerializer,
        responses={200: JobViewSerializer, 409: KEPT},
    )
    def patch(self, request: Request, view_id: str) -> Response:
        asked: dict[str, Any] = JobViewChangeSerializer.read(request)
        found = saved.view_of(self.scope, view_id_of(view_id))
        first = asked.pop("first", None)
        if asked:
            found = saved.change(found.pk, scope=self.scope, request=request._request, **asked)
        if first is not None:
            saved.show_first(found.pk, first, scope=self.scope, request=request._request)
        return Response(JobViewSerializer(found).data)

    @extend_schema(operation_id="remove_job_view", summary="Delete a saved view", request=None, responses={204: None})
    def delete(self, request: Request, view_id: str) -> Response:
        saved.remove(view_id_of(view_id), scope=self.scope, request=request._request)
        return Response(status=204)
