"""What an organisation lets its jobs do, over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs.api.base import OrgView
from jobs.api.docs import body
from jobs.api.fields import TextField
from jobs.queue import job_settings
from orgs.permissions import MayActInOrg
from orgs.roles import Action
from orgs.serializers import StrictSerializer

ALLOW = (
    "Where http jobs, and what other jobs fetch, may go and nowhere else; none: anywhere that the deployment allows."
)
DENY = "Where they may not go. A host, an address, or *.example.com for all below one."


class JobSettingsChangeSerializer(StrictSerializer):
    http_allow_hosts = serializers.ListField(child=TextField(max_length=260), required=False, help_text=ALLOW)
    http_deny_hosts = serializers.ListField(child=TextField(max_length=260), required=False, help_text=DENY)


class JobSettingsSerializer(serializers.Serializer[Any]):
    http_allow_hosts = serializers.ListField(child=serializers.CharField(), help_text=ALLOW)
    http_deny_hosts = serializers.ListField(child=serializers.CharField(), help_text=DENY)


class JobSettingsView(OrgView):
    permission_classes = [MayActInOrg]
    actions = {"GET": Action.READ, "PATCH": Action.MANAGE_ORG}

    @extend_schema(
        operation_id="get_job_settings",
        summary="What the organisation lets its jobs do",
        responses={200: JobSettingsSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(JobSettingsSerializer(job_settings.shown(self.scope.org)).data)

    @extend_schema(
        operation_id="change_job_settings",
        summary="Change what the organisation lets its jobs do",
        description="It counts from the next attempt of each job on.",
        request=JobSettingsChangeSerializer,
        responses={200: JobSettingsSerializer},
        examples=[body("Two places", {"http_allow_hosts": ["api.example.com", "*.example.org"]})],
    )
    def patch(self, request: Request, slug: str) -> Response:
        sent = JobSettingsChangeSerializer.read(request)
        return Response(job_settings.change(scope=self.scope, request=request._request, **sent))
