"""Paths under /api/v1/worker/: for workers of an organisation's own, with a key."""

from django.urls import path

from jobs.api import worker

LEASE = "leases/<str:lease>"
urlpatterns = [
    path("claims/", worker.ClaimsView.as_view(), name="api-worker-claims"),
    path("departure/", worker.DepartureView.as_view(), name="api-worker-departure"),
    path(f"{LEASE}/renewal/", worker.RenewalView.as_view(), name="api-worker-renewal"),
    path(f"{LEASE}/finish/", worker.FinishView.as_view(), name="api-worker-finish"),
    path(f"{LEASE}/failure/", worker.FailureView.as_view(), name="api-worker-failure"),
    path(f"{LEASE}/release/", worker.ReleaseView.as_view(), name="api-worker-release"),
    path(f"{LEASE}/log/", worker.LogView.as_view(), name="api-worker-log"),
    path(f"{LEASE}/artefacts/", worker.ArtefactsView.as_view(), name="api-worker-artefacts"),
]
