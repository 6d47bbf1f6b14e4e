"""Paths: pages at /, REST under /api/v1/, health and metrics at the root."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularSwaggerSplitView

from jobs.metrics.scrape import metrics_view
from orgs.admin_site import org_admin_site
from orgs.pages import declares
from orgs.roles import Gate
from smartqueue import health
from smartqueue.document import DocumentView

anybody = declares({"GET": Gate.ANYBODY})
docs = SpectacularSwaggerSplitView.as_view(url_name="schema", template_name="docs.html", template_name_js="docs.js")

api: list[URLPattern | URLResolver] = [
    path("auth/", include("orgs.auth_urls")),
    path("", include("orgs.api_urls")),
    path("", include("jobs.api.urls")),
    path("worker/", include("jobs.api.worker_urls")),
    path("", include("jobs.api.org_urls")),
    path("", include("analytics.api_urls")),
    path("schema/", anybody(DocumentView.as_view()), name="schema"),
    path("docs/", anybody(docs), name="docs"),
]

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics_view),
    path("api/v1/", include(api)),
    path("admin/organisation/", org_admin_site.urls),
    path("admin/", admin.site.urls),
    path("", include("orgs.urls")),
    path("", include("jobs.urls")),
    path("", include("analytics.urls")),
]

handler400 = "smartqueue.errors.bad_request"
handler403 = "smartqueue.errors.permission_denied"
handler404 = "smartqueue.errors.not_found"
handler500 = "smartqueue.errors.server_error"
