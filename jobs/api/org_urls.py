"""Paths under /api/v1/orgs/ that are about an organisation's jobs."""

from django.urls import path

from jobs.api.job_settings import JobSettingsView
from jobs.api.org_export import OrgExportView
from jobs.api.usage import UsageView

urlpatterns = [
    path("orgs/<slug:slug>/export/", OrgExportView.as_view(), name="api-org-export"),
    path("orgs/<slug:slug>/job-settings/", JobSettingsView.as_view(), name="api-job-settings"),
    path("orgs/<slug:slug>/usage/", UsageView.as_view(), name="api-usage"),
]
