"""Paths of the pages."""

from django.urls import path

from analytics import model, views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("first-steps/hide/", views.hide_steps, name="hide_steps"),
    path("workers/", views.workers, name="workers"),
    path("model/", model.model_page, name="model"),
]
