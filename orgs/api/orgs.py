"""Organisations and their members over REST."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import life, membership
from orgs.api.serializers import (
    ClosingSerializer,
    MemberSerializer,
    OrgChangeSerializer,
    OrgNameSerializer,
    OrgSerializer,
    RoleChangeSerializer,
)
from orgs.models import Membership
from orgs.pagination import KeysetPagination
from orgs.permissions import IsSignedIn, MayActInOrg
from orgs.roles import Action
from orgs.scope import Scope, acting_org, anew, find_scope, person, scope_of

LAST_ADMIN = OpenApiResponse(description="Nobody would be left to manage the organisation.")


class Orgs(ListAPIView[Membership]):
    permission_classes = [IsSignedIn]
    serializer_class = OrgSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Membership]:
        return Membership.objects.filter(user=self.request.user.pk).select_related("org")

    def get_serializer_context(self) -> dict[str, Any]:
        user = self.request.user
        return {**super().get_serializer_context(), "acting_org": acting_org(user) if user.pk else None}

    @extend_schema(summary="Your organisations")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Create an organisation",
        description="You become its org_admin, and act in it until you switch.",
        request=OrgNameSerializer,
        responses={201: OrgSerializer},
    )
    def post(self, request: Request) -> Response:
        sent = OrgNameSerializer.read(request)
        org = membership.create_org(sent["name"], user=person(request), request=request._request)
        location = reverse("org", args=[org.slug])
        return Response(shape(find_scope(person(request), org.slug)), 201, headers={"Location": location})


class Org(APIView):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.READ, "PATCH": Action.MANAGE_ORG, "DELETE": Action.CLOSE_ORG}

    @extend_schema(summary="One organisation of yours", responses={200: OrgSerializer})
    def get(self, request: Request, slug: str) -> Response:
        return Response(shape(scope_of(request, slug=slug)))

    @extend_schema(summary="Rename", request=OrgChangeSerializer, responses={200: OrgSerializer})
    def patch(self, request: Request, slug: str) -> Response:
        sent = OrgChangeSerializer.read(request)
        scope = scope_of(request, slug=slug)
        if "name" in sent:
            membership.rename_org(sent["name"], scope=scope, request=request._request)
        return Response(shape(anew(scope)))

    @extend_schema(
        operation_id="close_org",
        summary="Ask for the organisation's end",
        description="It is closed at once: nothing of it begins, and it can only be read, exported and restored. "
        "All of it is erased on `erase_at`. Again is no error, and does not move the day.",
        request=ClosingSerializer,
        responses={202: OrgSerializer},
        examples=[OpenApiExample("Close it", {"confirm": "acme"}, request_only=True)],
    )
    def delete(self, request: Request, slug: str) -> Response:
        ClosingSerializer.read(request)
        scope = scope_of(request, slug=slug)
        life.close(scope=scope, request=request._request)
        return Response(shape(anew(scope)), 202)


class Restoration(APIView):
    permission_classes = [MayActInOrg]
    actions = {"POST": Action.CLOSE_ORG}

    @extend_schema(
        operation_id="restore_org",
        summary="Restore an organisation that is closed",
        description="With all that it had, as it was. Again is no error.",
        request=None,
        responses={200: OrgSerializer, 409: OpenApiResponse(description="Its day has come.")},
    )
    def post(self, request: Request, slug: str) -> Response:
        scope = scope_of(request, slug=slug)
        life.restore(scope=scope, request=request._request)
        return Response(shape(anew(scope)))


class Activation(APIView):
    permission_classes = [MayActInOrg]
    actions = {"POST": Action.BELONG}

    @extend_schema(
        summary="Switch to this organisation",
        description="Calls without X-Org, and the pages, act in it from now on.",
        request=None,
        responses={200: OrgSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        scope = scope_of(request, slug=slug)
        membership.switch(slug, user=scope.user, request=request._request)
        return Response(shape(scope))


class Members(ListAPIView[Membership]):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.READ}
    serializer_class = MemberSerializer
    pagination_class = KeysetPagination
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return scope_of(self.request, slug=self.kwargs["slug"]).org.memberships.select_related("user")

    @extend_schema(summary="Members, the newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class Member(APIView):
    permission_classes = [MayActInOrg]
    actions = {"PATCH": Action.MANAGE_MEMBERS, "DELETE": Action.MANAGE_MEMBERS}

    @extend_schema(
        summary="Change a role",
        description="It counts from the member's next call on, whatever tokens are out.",
        request=RoleChangeSerializer,
        responses={200: MemberSerializer, 409: LAST_ADMIN},
    )
    def patch(self, request: Request, slug: str, username: str) -> Response:
        sent = RoleChangeSerializer.read(request)
        scope = scope_of(request, slug=slug)
        changed = membership.change_role(username, sent["role"], scope=scope, request=request._request)
        return Response(MemberSerializer(changed).data)

    @extend_schema(summary="Remove a member", responses={204: None, 409: LAST_ADMIN})
    def delete(self, request: Request, slug: str, username: str) -> Response:
        membership.remove(username, scope=scope_of(request, slug=slug), request=request._request)
        return Response(status=204)


class OwnMembership(APIView):
    permission_classes = [MayActInOrg]
    actions = {"DELETE": Action.BELONG}

    @extend_schema(summary="Leave", responses={204: None, 409: LAST_ADMIN})
    def delete(self, request: Request, slug: str) -> Response:
        membership.leave(scope=scope_of(request, slug=slug), request=request._request)
        return Response(status=204)


def shape(scope: Scope) -> Any:
    acting = scope.org if scope.key else acting_org(scope.user)
    return OrgSerializer(scope, context={"acting_org": acting}).data
