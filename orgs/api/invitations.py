"""Invitations over REST: sent by an org_admin, answered by the invited person."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import membership, rates
from orgs.api.orgs import shape
from orgs.api.serializers import (
    AnswerSerializer,
    InvitationSerializer,
    InviteSerializer,
    NewInvitationSerializer,
    OrgSerializer,
)
from orgs.models import Invitation
from orgs.pagination import KeysetPagination
from orgs.permissions import IsSignedIn, MayActInOrg
from orgs.roles import Action
from orgs.scope import find_scope, person, scope_of

CLOSED = OpenApiResponse(description="It was answered or withdrawn, has expired, or you are a member already.")


class OrgInvitations(ListAPIView[Invitation]):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.MANAGE_MEMBERS, "POST": Action.MANAGE_MEMBERS}
    serializer_class = InvitationSerializer
    pagination_class = KeysetPagination
    queryset = Invitation.objects.none()

    def get_queryset(self) -> QuerySet[Invitation]:
        org = scope_of(self.request, slug=self.kwargs["slug"]).org
        return membership.pending(org).select_related("org", "user", "invited_by")

    @extend_schema(summary="Open invitations of an organisation")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)

    @extend_schema(
        summary="Invite somebody",
        description="By username, who then sees it among his invitations; or by e-mail address, for which you get "
        "a link to send. It is shown once.",
        request=InviteSerializer,
        responses={
            201: NewInvitationSerializer,
            409: OpenApiResponse(description="A member already, or invited already."),
        },
        examples=[
            OpenApiExample("By username", request_only=True, value={"username": "grace", "role": "operator"}),
            OpenApiExample("By e-mail", request_only=True, value={"email": "grace@example.com", "role": "viewer"}),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        rates.inviting(request._request, person(request))
        sent = InviteSerializer.read(request)
        invitation, token = membership.invite(
            scope=scope_of(request, slug=slug),
            role=sent["role"],
            person=sent.get("username"),
            email=sent.get("email", ""),
            request=request._request,
        )
        shown = InvitationSerializer(invitation).data
        url = request.build_absolute_uri(membership.link_path(invitation, token)) if token else ""
        return Response({**shown, "token": token, "url": url}, 201, headers={"Cache-Control": "no-store"})


class OrgInvitation(APIView):
    permission_classes = [MayActInOrg]
    actions = {"DELETE": Action.MANAGE_MEMBERS}

    @extend_schema(
        summary="Withdraw an invitation",
        responses={204: None, 409: OpenApiResponse(description="It was answered or withdrawn.")},
    )
    def delete(self, request: Request, slug: str, id: int) -> Response:
        membership.withdraw(id, scope=scope_of(request, slug=slug), request=request._request)
        return Response(status=204)


class MyInvitations(ListAPIView[Invitation]):
    permission_classes = [IsSignedIn]
    serializer_class = InvitationSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Invitation]:
        return membership.offers_to(person(self.request))

    @extend_schema(summary="Invitations to you")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class Acceptance(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(
        summary="Accept an invitation", request=AnswerSerializer, responses={201: OrgSerializer, 409: CLOSED}
    )
    def post(self, request: Request, id: int) -> Response:
        rates.inviting(request._request, person(request))
        token = AnswerSerializer.read(request)["token"]
        joined = membership.accept(id, user=person(request), token=token, request=request._request)
        location = reverse("org", args=[joined.org.slug])
        return Response(shape(find_scope(person(request), joined.org.slug)), 201, headers={"Location": location})


class Refusal(APIView):
    permission_classes = [IsSignedIn]

    @extend_schema(summary="Decline an invitation", request=AnswerSerializer, responses={204: None, 409: CLOSED})
    def post(self, request: Request, id: int) -> Response:
        rates.inviting(request._request, person(request))
        token = AnswerSerializer.read(request)["token"]
        membership.decline(id, user=person(request), token=token, request=request._request)
        return Response(status=204)
