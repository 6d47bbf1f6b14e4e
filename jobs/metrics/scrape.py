"""/metrics of the web: what the database knows, beside the HTTP metrics of the web processes."""

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from jobs.metrics.database import DatabaseCollector
from orgs import walls
from orgs.client import client_address
from orgs.pages import open_page
from orgs.roles import Gate

LOOPBACK = {"127.0.0.1", "::1"}


@open_page(gate=Gate.OPERATIONS)
def metrics_view(request: HttpRequest) -> HttpResponse:
    """The scrape. Not for tenants: a bearer token, or from loopback where no token is set."""
    if not may_scrape(request):
        return HttpResponse(status=404)
    walls.open_for(walls.Across.METRICS)
    ours = CollectorRegistry()
    ours.register(DatabaseCollector())
    web = REGISTRY
    if settings.PROMETHEUS_MULTIPROC_DIR:
        web = CollectorRegistry()
        MultiProcessCollector(web)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(web) + generate_latest(ours), content_type=CONTENT_TYPE_LATEST)


def may_scrape(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        return knows_token(request.headers.get("Authorization", ""))
    return client_address(request) in LOOPBACK


def knows_token(authorization: str) -> bool:
    return hmac.compare_digest(authorization.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
