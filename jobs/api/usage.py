"""How much an organisation may have at once, and has."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.queue import quotas
from orgs.permissions import MayActInOrg
from orgs.roles import Action

NAMES = list(quotas.QUOTAS)


class QuotaSerializer(serializers.Serializer[Any]):
    quota = serializers.ChoiceField(NAMES)
    limit = serializers.IntegerField(help_text="What adds to it beyond this is refused.")
    used = serializers.IntegerField(help_text="Exact at this moment.")
    own = serializers.BooleanField(help_text="Set for this organisation; else it is that of the deployment.")


class UsageSerializer(serializers.Serializer[Any]):
    weight = serializers.FloatField(help_text="Parts of shared queues, where another organisation gets 1.")
    quotas = QuotaSerializer(many=True)


class UsageView(OrgView):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.READ}

    @extend_schema(
        operation_id="get_usage",
        summary="How much the organisation may have at once, and has",
        description="Waiting jobs, the payloads of those that have not ended, schedules, and files. A platform admin "
        "sets them.",
        responses={200: UsageSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        org = self.scope.org
        return Response(UsageSerializer({"weight": org.weight, "quotas": quotas.usage(org)}).data)
