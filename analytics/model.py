"""The page of the model: what is in use and why, how near it comes, and which versions there are."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from analytics import accuracy_charts, charts, queries
from analytics.views import SPANS, span
from jobs.learning import Health, health
from jobs.listing import TooSlow, bounded
from jobs.models import ModelVersion
from orgs.models import Org
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

VERSIONS = 20


@org_page(Action.READ)
def model_page(request: HttpRequest, scope: Scope) -> HttpResponse:
    hours, known = span(request), health(scope.org)
    context = {
        "health": known,
        "versions": ModelVersion.objects.for_org(scope.org).defer("weights").order_by("-version")[:VERSIONS],
        "hours": hours,
        "spans": SPANS,
        **drawings(scope.org, hours, known),
    }
    return render(request, "analytics/model.html", context)


def drawings(org: Org, hours: int, known: Health) -> dict[str, Any]:
    """The charts with the numbers behind them; none when there is too much to read in time."""
    try:
        with bounded():
            points, over_time = queries.predictions(org), queries.accuracy_over_time(org, hours)
    except TooSlow:
        return {"too_slow": True}
    axis: dict[str, Any] = {"hours": hours, "bucket_seconds": over_time.bucket_seconds, "now": timezone.now()}
    promised = known.active.metrics.get("malr") if known.active else None
    return {
        "points": points,
        "scatter": charts.scatter(points),
        "over_time": over_time,
        "error_chart": accuracy_charts.error_line(over_time.buckets, promised=promised, **axis),
        "coverage_chart": accuracy_charts.coverage_line(over_time.buckets, **axis),
    }
