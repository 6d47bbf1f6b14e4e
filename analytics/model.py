"""The page of the model: what is in use and why, how near it comes, and which versions there are."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from analytics import accuracy_charts, dot_charts, flow_charts, queries
from analytics.page import SPANS
from analytics.views import span
from jobs import sums
from jobs.learning import Health, health, shown_versions
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
        "versions": shown_versions(ModelVersion.objects.for_org(scope.org).order_by("-version")[:VERSIONS]),
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
            found = sums.over_time(org, hours)
    except TooSlow:
        return {"too_slow": True}
    promised = known.active.metrics.get("malr") if known.active else None
    return {
        "over_time": over_time,
        "pictures": [
            accuracy_charts.error_line(found, promised=promised),
            accuracy_charts.coverage_line(found),
            dot_charts.predicted_and_actual(points),
            flow_charts.error_histogram(found),
        ],
    }
