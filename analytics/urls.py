"""Paths of the pages."""

from django.urls import path

from analytics import model, page, views, workers

urlpatterns = [
    path("", views.overview, name="overview"),
    path("first-steps/hide/", views.hide_steps, name="hide_steps"),
    path("first-steps/model/", views.see_model, name="see_model"),
    path("analytics/", page.analytics_page, name="analytics"),
    path("workers/", workers.workers, name="workers"),
    path("workers/<uuid:worker_id>/", workers.worker, name="worker"),
    path("workers/<uuid:worker_id>/<slug:word>/", workers.command, name="worker_command"),
    path("model/", model.model_page, name="model"),
]
