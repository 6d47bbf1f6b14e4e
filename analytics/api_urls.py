"""Paths under /api/v1/."""

from django.urls import path

from analytics import api

urlpatterns = [
    path("counts/", api.CountsView.as_view(), name="api-counts"),
    path("workers/", api.WorkersView.as_view(), name="api-workers"),
    path("workers/<str:worker_id>/", api.WorkerView.as_view(), name="api-worker"),
    path("workers/<str:worker_id>/commands/", api.WorkerCommandView.as_view(), name="api-worker-commands"),
    path("leader/", api.LeaderView.as_view(), name="api-leader"),
    path("throughput/", api.ThroughputView.as_view(), name="api-throughput"),
    path("depth/", api.DepthView.as_view(), name="api-depth"),
    path("predictions/", api.PredictionsView.as_view(), name="api-predictions"),
    path("summary/", api.SummaryView.as_view(), name="api-summary"),
]
