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
    PlatformOrgSerializer,
    PlatformUserSerializer,
    SearchSerializer,
    WeightSerializer,
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
        summary="How much of shared queues an organisation gets",
        request=WeightSerializer,
        responses={200: PlatformOrgSerializer},
        examples=[OpenApiExample("Three parts to one", {"weight": 3}, request_only=True)],
    )
    def patch(self, request: Request, slug: str) -> Response:
        weight = WeightSerializer.read(request)["weight"]
        with transaction.atomic():
            org = get_object_or_404(Org.objects.select_for_update(), slug=slug)
            old, org.weight = org.weight, weight
            org.save(update_fields=["weight"])
            changes = {"old": {"weight": old}, "new": {"weight": weight}}
            audit.record("org.weight", org=org, actor=person(request), target=slug, request=request._request, **changes)
        found = Org.objects.annotate(members=Count("memberships")).get(pk=org.pk)
        return Response(PlatformOrgSerializer(found).data)


def searched(request: Request) -> str:
    query = SearchSerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    return str(query.validated_data["q"])
