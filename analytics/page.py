"""The page of analytics: what ended over time, how long it waited and ran, and which kinds of jobs it was."""

import io
import time
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analytics import accuracy_charts, dot_charts, flow_charts, queries
from analytics.drawn import CHARTS_SECONDS, Drawn
from analytics.pictures import Picture
from analytics.queries import QUANTILES, in_seconds
from jobs import sums
from jobs.handlers import registry
from jobs.handlers.tables import Csv
from jobs.listing import TooSlow, bounded
from jobs.models import Queue
from jobs.pages.live import is_poll, org_version
from jobs.sums import Group
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# The spans a chart can show.
SPANS = {
    1: gettext_lazy("1 hour"),
    24: gettext_lazy("24 hours"),
    168: gettext_lazy("7 days"),
    720: gettext_lazy("30 days"),
}
MOST_QUEUES = 500
KIND_COLUMNS = ("kind", "jobs", "success", "predicted", "p50", "p95", "wait")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is narrowed to; in its address."""

    hours: int = queries.DAY_HOURS
    queue: str = ""
    type: str = ""
    sort: str = "-jobs"

    def url(self, **changes: Any) -> str:
        new = replace(self, **changes)
        given = {"hours": new.hours, "queue": new.queue, "type": new.type, "sort": new.sort}
        usual = {"hours": None, "queue": "", "type": "", "sort": "-jobs"}
        return "/analytics/?" + urlencode({name: value for name, value in given.items() if value != usual[name]})

    @property
    def here(self) -> str:
        return self.url()


def asked_for(request: HttpRequest) -> Asked:
    """Of what is not known, the usual."""
    hours, sort = request.GET.get("hours", ""), request.GET.get("sort", "")
    type = request.GET.get("type", "")
    return Asked(
        int(hours) if hours in map(str, SPANS) else queries.DAY_HOURS,
        request.GET.get("queue", "").replace("\0", "")[:40],
        type if type in registry.types() else "",
        sort if sort.removeprefix("-") in KIND_COLUMNS else "-jobs",
    )


@org_page(Action.READ)
def analytics_page(request: HttpRequest, scope: Scope) -> HttpResponse:
    asked = asked_for(request)
    if request.GET.get("format") == "csv":
        return chart_file(scope.org, asked, request.GET.get("chart", ""))
    fresh = Drawn(int(time.time() // CHARTS_SECONDS), org_version(scope.org))
    shown = Drawn.parse(request.GET.get("v", ""))
    if is_poll(request) and shown and not fresh.replaces(shown):
        return HttpResponse(status=204, headers={"Cache-Control": "no-store"})
    context = {
        "version": str(fresh),
        "asked": asked,
        "spans": [(asked.url(hours=hours), words, hours == asked.hours) for hours, words in SPANS.items()],
        "queues": Queue.objects.for_org(scope.org).order_by("name").values_list("name", flat=True)[:MOST_QUEUES],
        "types": registry.types(),
        **drawings(scope.org, asked),
    }
    return page_or_fragment(request, "analytics/analytics.html", "analytics/_analytics.html", context)


def drawings(org: Org, asked: Asked) -> dict[str, Any]:
    """The charts with the numbers behind them; none when there is too much to read in time."""
    try:
        with bounded():
            pictures, marks = drawn(org, asked), marked(org, asked.hours)
            kinds = sums.by("kind", org, asked.hours, queue=asked.queue, type=asked.type)
    except TooSlow:
        return {"too_slow": True}
    return {
        "pictures": pictures,
        "marks": marks,
        "mark_data": [{"at": mark["at"].timestamp(), "text": mark["text"]} for mark in marks],
        "kinds": in_order([kind for kind in kinds if kind.sums.ended], asked.sort),
        "headers": headers(asked),
    }


def drawn(org: Org, asked: Asked) -> list[Picture]:
    hours, narrow = asked.hours, {"queue": asked.queue, "type": asked.type}
    found, now = sums.over_time(org, hours, **narrow), queries.health(org).now
    return [
        flow_charts.throughput(found),
        flow_charts.waits(found),
        flow_charts.runs(found),
        flow_charts.depth(queries.depth(org, hours, queue=asked.queue), hours=hours, now=now),
        dot_charts.run_times(queries.attempts(org, hours, **narrow), hours=hours, now=now),
        flow_charts.trouble(found),
        accuracy_charts.error_line(found),
        flow_charts.error_histogram(found),
    ]


def marked(org: Org, hours: int) -> list[dict[str, Any]]:
    return [{"at": row["at"], "text": in_words(row["what"], row["name"])} for row in queries.marks(org, hours)]


def in_words(what: str, name: str) -> str:
    """What happened, as short as it stands on a chart."""
    said = {
        "queue.pause": _("%(name)s paused"),
        "queue.resume": _("%(name)s resumed"),
        "org.suspend": _("organisation suspended"),
        "org.resume": _("organisation resumed"),
        "model": _("model version %(name)s in use"),
        "release": _("SmartQueue %(name)s deployed"),
    }
    return said[what] % {"name": name}


# --- The table of kinds -----------------------------------------------------------------------------------------------


def in_order(kinds: list[Group], sort: str) -> list[Group]:
    word = sort.removeprefix("-")

    def key(kind: Group) -> tuple[Any, ...]:
        found = kind.sums
        figures = {
            "jobs": found.ended, "success": found.success_rate, "predicted": found.predicted(0.5),
            "p50": found.run(0.5), "p95": found.run(0.95), "wait": found.wait(0.95),
        }  # fmt: skip
        if word not in figures:
            return (kind.name, kind.type)
        return (figures[word] is not None, figures[word] or 0)

    return sorted(kinds, key=key, reverse=sort.startswith("-"))


@dataclass(frozen=True, slots=True)
class Header:
    label: str
    url: str
    # "ascending", "descending" or ""
    order: str
    number: bool


def headers(asked: Asked) -> list[Header]:
    """Figures begin with the greatest; a second click turns the order round."""
    labels = {
        "kind": _("Kind"), "jobs": _("Attempts"), "success": _("Success"), "predicted": _("Predicted p50"),
        "p50": _("Run p50"), "p95": _("Run p95"), "wait": _("Wait p95"),
    }  # fmt: skip
    found = []
    for word, label in labels.items():
        first = word if word == "kind" else f"-{word}"
        other = word if first.startswith("-") else f"-{word}"
        order = {word: "ascending", f"-{word}": "descending"}.get(asked.sort, "")
        found.append(Header(label, asked.url(sort=other if asked.sort == first else first), order, word != "kind"))
    return found


# --- Files --------------------------------------------------------------------------------------------------------


def chart_file(org: Org, asked: Asked, name: str) -> HttpResponse:
    """The numbers of a chart, or of the kinds, as CSV."""
    try:
        with bounded():
            if name == "kinds":
                columns, rows = kind_rows(sums.by("kind", org, asked.hours, queue=asked.queue, type=asked.type))
            else:
                picture = {one.name: one for one in drawn(org, asked)}.get(name)
                if picture is None:
                    raise Http404
                columns, rows = picture.columns, list(picture.raw)
    except TooSlow:
        return HttpResponse(_("The database took too long over this."), status=503, content_type="text/plain")
    out = io.StringIO()
    table = Csv(out, columns, frozenset())
    for row in rows:
        table.row(row)
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    file = f"{slugify(name)}-{org.slug}-{asked.hours}h.csv"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def kind_rows(kinds: list[Group]) -> tuple[list[str], list[list[Any]]]:
    columns = [
        "type", "name", "attempts", "done", "failed", "success_rate", "predicted_p50_ms",
        *(f"run_{word}_ms" for word in QUANTILES), *(f"wait_{word}_seconds" for word in QUANTILES),
    ]  # fmt: skip
    rows = [
        [
            kind.type, kind.name, kind.sums.ended, kind.sums.done, kind.sums.failed, kind.sums.success_rate,
            kind.sums.predicted(0.5), *(kind.sums.run(share) for share in QUANTILES.values()),
            *(in_seconds(kind.sums.wait(share)) for share in QUANTILES.values()),
        ]
        for kind in kinds
    ]  # fmt: skip
    return columns, rows
