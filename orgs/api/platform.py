"""What only platform admins see: every organisation."""

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orgs import life
from orgs.api.platform_shapes import (
    PlatformOrgChangeSerializer,
    PlatformOrgQuery,
    PlatformOrgSerializer,
    SuspensionSerializer,
)
from orgs.models import Org
from orgs.pagination import KeysetPagination
from orgs.permissions import IsPlatformAdmin
from orgs.platform import change_org
from orgs.scope import person


class AllOrgs(ListAPIView[Org]):
    permission_classes = [IsPlatformAdmin]
    serializer_class = PlatformOrgSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Org]:
        asked = PlatformOrgQuery(data=self.request.query_params.dict())
        asked.is_valid(raise_exception=True)
        found = life.found(asked.validated_data["q"], asked.validated_data.get("state"))
        return found.annotate(members=Count("memberships"))

    @extend_schema(summary="All organisations, the newest first", parameters=[PlatformOrgQuery])
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
        return shown(change_org(slug, sent, actor=person(request), request=request._request))


class Suspension(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_suspend_org",
        summary="Suspend an organisation",
        description="From the next call on its members and keys are refused with `organisation_suspended` and the "
        "reason; what waits is held, its schedules stand still, what runs may end. Again, with other words, it changes "
        "the reason.",
        request=SuspensionSerializer,
        responses={200: PlatformOrgSerializer},
        examples=[OpenApiExample("Not paid", {"reason": "The invoice of May is open."}, request_only=True)],
    )
    def post(self, request: Request, slug: str) -> Response:
        sent = SuspensionSerializer.read(request)
        return shown(life.suspend(slug, reason=sent["reason"], actor=person(request), request=request._request))


class Resumption(APIView):
    permission_classes = [IsPlatformAdmin]

    @extend_schema(
        operation_id="platform_resume_org",
        summary="Let a suspended organisation go on",
        description="With all that waits as it was: a queue that somebody paused stays paused. Again is no error.",
        request=None,
        responses={200: PlatformOrgSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        return shown(life.resume(slug, actor=person(request), request=request._request))


def shown(org: Org) -> Response:
    found = Org.objects.annotate(members=Count("memberships")).get(pk=org.pk)
    return Response(PlatformOrgSerializer(found).data)
