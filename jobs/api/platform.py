"""The jobs of every organisation, for platform admins."""

from django.db.models import F
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api import docs
from jobs.api.base import listed
from jobs.api.filters import PlatformJobQuery, filters
from jobs.api.paging import job_page
from jobs.api.shapes import PlatformJobSerializer
from jobs.listing import narrowed
from jobs.models import Job
from orgs.permissions import IsPlatformAdmin


class PlatformJobsView(APIView):
    permission_classes = [IsPlatformAdmin]

    @docs.list_platform_jobs
    def get(self, request: Request) -> Response:
        asked = PlatformJobQuery.asked(request)
        jobs = listed(Job.objects.all()).annotate(org_slug=F("org__slug"))
        if "org" in asked:
            jobs = jobs.filter(org__slug=asked["org"])
        return job_page(request, narrowed(jobs, filters(asked)), asked, PlatformJobSerializer)
