"""Paths under /api/v1/orgs/ that are about an organisation's jobs."""

from django.urls import path

from jobs.api.job_settings import JobSettingsView

urlpatterns = [
    path("orgs/<slug:slug>/job-settings/", JobSettingsView.as_view(), name="api-job-settings"),
]
