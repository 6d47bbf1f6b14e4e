"""What only platform admins see: everybody, and every organisation."""

from typing import Any

from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from orgs.api.serializers import PlatformOrgSerializer, PlatformUserSerializer, SearchSerializer
from orgs.models import Org, User
from orgs.pagination import KeysetPagination
from orgs.permissions import IsPlatformAdmin


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


def searched(request: Request) -> str:
    query = SearchSerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    return str(query.validated_data["q"])
