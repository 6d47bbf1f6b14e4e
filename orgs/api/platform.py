"""What only platform admins see: everybody, and every organisation."""

from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import audit
from orgs.api.serializers import (
    PlatformOrgChangeSerializer,
    PlatformOrgSerializer,
    PlatformUserSerializer,
    SearchSerializer,
)
from orgs.models import Org, User
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


class AllOrgs(ListAPIView[Org]):
    permission_classes = [IsPlatformAdmin]
    serializer_class = PlatformOrgSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Org]:
        words = searched(self.request)
        found = Org.objects.filter(Q(slug__icontains=words) | Q(name__icontains=words))
        return found.annotate(members=Count("memberships"))

    @extend_schema(summary="All organisations, the newest first", parameters=[SearchSerializer])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request, *args, **kwargs)


class OneOrg(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_change_org",
        summary="How much an organisation gets",
        description="Its part of shared queues, and what it may have at once. What is left out stays; how much it has: "
        "`GET /orgs/{slug}/usage/`.",
        request=PlatformOrgChangeSerializer,
        responses={200: PlatformOrgSerializer},
        examples=[
            OpenApiExample("Three parts to one", {"weight": 3}, request_only=True),
            OpenApiExample("Fewer jobs than others", {"max_waiting_jobs": 10_000}, request_only=True),
        ],
    )
    def patch(self, request: Request, slug: str) -> Response:
        sent = PlatformOrgChangeSerializer.read(request)
        with transaction.atomic():
            org = get_object_or_404(Org.objects.select_for_update(), slug=slug)
            weight = {name: sent.pop(name) for name in ("weight",) if name in sent}
            for action, asked in (("org.weight", weight), ("org.quotas", sent)):
                if asked:
                    changes = changed(org, asked)
                    audit.record(
                        action, org=org, actor=person(request), target=slug, request=request._request, **changes
                    )
        found = Org.objects.annotate(members=Count("memberships")).get(pk=org.pk)
        return Response(PlatformOrgSerializer(found).data)


def changed(org: Org, asked: dict[str, Any]) -> dict[str, Any]:
    """Set and save fields; what they were and are."""
    old = {name: getattr(org, name) for name in asked}
    for name, value in asked.items():
        setattr(org, name, value)
    org.save(update_fields=list(asked))
    return {"old": old, "new": asked}


def searched(request: Request) -> str:
    query = SearchSerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    return str(query.validated_data["q"])
