"""What only platform admins see and do: everybody, and whose account is closed or removed."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import removal
from orgs.api.serializers import PlatformUserSerializer, ReasonSerializer, SearchSerializer
from orgs.models import User
from orgs.pagination import KeysetPagination
from orgs.permissions import IsPlatformAdmin
from orgs.scope import person


class Users(ListAPIView[User]):
    permission_classes = [IsPlatformAdmin]
    serializer_class = PlatformUserSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[User]:
        words = searched(self.request)
        found = User.objects.filter(Q(username__icontains=words) | Q(email__icontains=words))
        return found.prefetch_related("memberships__org")

    @extend_schema(summary="All users, the newest first", parameters=[SearchSerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneUser(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_remove_user",
        summary="Remove an account",
        description="For good, as its owner can himself: see `DELETE /auth/me/`.",
        request=ReasonSerializer,
        responses={
            204: None,
            409: OpenApiResponse(description="Removed already, the last org_admin, or the last platform admin."),
        },
        examples=[OpenApiExample("As asked", request_only=True, value={"reason": "ticket 4711"})],
    )
    def delete(self, request: Request, username: str) -> Response:
        reason = ReasonSerializer.read(request)["reason"]
        removal.remove(named(username), actor=person(request), request=request._request, reason=reason)
        return Response(status=204)


class Suspend(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_suspend_user",
        summary="Close an account for a time",
        description="Until it is resumed its tokens, sessions and keys open nothing.",
        request=ReasonSerializer,
        responses={
            200: PlatformUserSerializer,
            409: OpenApiResponse(description="Suspended already, removed, or the last platform admin."),
        },
        examples=[OpenApiExample("A lost laptop", request_only=True, value={"reason": "his laptop was stolen"})],
    )
    def post(self, request: Request, username: str) -> Response:
        return changed(removal.suspend, username, request)


class Resume(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_resume_user",
        summary="Open a suspended account again",
        description="All is as it was before, his keys and sign-ins too.",
        request=ReasonSerializer,
        responses={
            200: PlatformUserSerializer,
            409: OpenApiResponse(description="Not suspended, or removed."),
        },
        examples=[OpenApiExample("Found again", request_only=True, value={"reason": "it was found"})],
    )
    def post(self, request: Request, username: str) -> Response:
        return changed(removal.resume, username, request)


def changed(act: Any, username: str, request: Request) -> Response:
    reason = ReasonSerializer.read(request)["reason"]
    user = named(username)
    act(user, actor=person(request), request=request._request, reason=reason)
    return Response(PlatformUserSerializer(user).data)


def named(username: str) -> User:
    """Raises Http404."""
    user = User.objects.named(username).first()
    if user is None:
        raise Http404
    return user


def searched(request: Request) -> str:
    query = SearchSerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    return str(query.validated_data["q"])
