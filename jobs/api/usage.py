"""How much an organisation may have at once, and has."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.errors import ArtefactTooLarge
from jobs.queue import quotas
from jobs.queue.new_job import PAYLOAD_SIZE
from orgs import rates
from orgs.limit_hits import DAYS_SHOWN, lately
from orgs.permissions import MayActInOrg
from orgs.roles import Action

NAMES = list(quotas.QUOTAS)
LIMITS = [*NAMES, PAYLOAD_SIZE, ArtefactTooLarge.limit, *rates.IN_ORGS]


class QuotaSerializer(serializers.Serializer[Any]):
    quota = serializers.ChoiceField(NAMES)
    limit = serializers.IntegerField(help_text="What adds to it beyond this is refused.")
    used = serializers.IntegerField(help_text="Exact at this moment.")
    own = serializers.BooleanField(help_text="Set for this organisation; else it is that of the deployment.")


class LimitHitSerializer(serializers.Serializer[Any]):
    """So often a limit refused something on a day."""

    limit = serializers.ChoiceField(LIMITS, source="name")
    day = serializers.DateField(help_text="In UTC.")
    hits = serializers.IntegerField(help_text="Up to a second old.")


class UsageSerializer(serializers.Serializer[Any]):
    weight = serializers.FloatField(help_text="Parts of shared queues, where another organisation gets 1.")
    quotas = QuotaSerializer(many=True)
    limit_hits = LimitHitSerializer(
        many=True, help_text=f"Of the last {DAYS_SHOWN} days, the newest first; days without are left out."
    )


class UsageView(OrgView):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.READ}

    @extend_schema(
        operation_id="get_usage",
        summary="How much the organisation may have at once, and has",
        description="Waiting jobs, the payloads of those that have not ended, schedules, and files. A platform admin "
        "sets them. And how often these, and the rates, have refused something of late.",
        responses={200: UsageSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        org = self.scope.org
        shown = {"weight": org.weight, "quotas": quotas.usage(org), "limit_hits": lately(org)}
        return Response(UsageSerializer(shown).data)
