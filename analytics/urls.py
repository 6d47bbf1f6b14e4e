"""Paths of the pages."""

from django.urls import path

from analytics import views

urlpatterns = [
    path("", views.overview, name="overview"),
    path("first-steps/hide/", views.hide_steps, name="hide_steps"),
    path("workers/", views.workers, name="workers"),
]
