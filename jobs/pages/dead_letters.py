"""The dead letters: what failed for good, why and when, and sending it back."""

from datetime import datetime
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.listing import TooSlow, bounded, narrowed
from jobs.models import Job, JobQuerySet
from jobs.pages.actions import tell_replayed
from jobs.pages.filters import DeadLetterForm
from jobs.pages.lists import answer, listing, shown
from jobs.pages.live import org_version, unchanged
from jobs.queue.control import replay_many
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

# What one press of the button sends back at most; it can be pressed again.
REPLAY_MOST = 10_000
TYPE_COUNT_ABOVE = 100


@org_page(Action.READ)
def dead_letters(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Failed jobs, the latest failure first."""
    version = org_version(scope.org)
    if same := unchanged(request, version):
        return same
    form = DeadLetterForm(request.GET, scope.org)
    failed = shown(scope.org).dead_letters()
    listed = listing(failed, form, path=request.path, region="dead", version=version)
    return answer(request, "jobs/dead_letters.html", "jobs/_dead_letters.html", listed)


@org_page(Action.REPLAY, methods=("GET", "POST"))
def replay_all(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All that match the filter of the address: GET counts and asks, POST does it."""
    form = DeadLetterForm(request.GET, scope.org)
    if not form.is_valid():
        raise BadRequest("The filter is not valid.")
    query = urlencode(form.narrowing())
    until = moment_of(request.POST)
    try:
        with bounded():
            ids = list(matching(scope, form, until).values_list("pk", flat=True)[: REPLAY_MOST + 1])
    except TooSlow:
        messages.error(request, "The database took too long to find them all: narrow the filter.")
        return redirect(f"/dead-letters/?{query}")
    count, more = min(len(ids), REPLAY_MOST), len(ids) > REPLAY_MOST
    asked = {"count": count, "more": more, "query": query, "narrowing": form.narrowing(), "until": until.isoformat()}
    if not confirmed(request, count):
        asked |= {"must_type": count > TYPE_COUNT_ABOVE, "mistyped": "until" in request.POST}
        return render(request, "jobs/replay_all.html", asked)
    tell_replayed(request, count, replay_many(ids[:REPLAY_MOST], scope=scope, request=request))
    return redirect(f"/dead-letters/?{query}")


def matching(scope: Scope, form: DeadLetterForm, until: datetime) -> JobQuerySet:
    """Failed by then: what fails while a person reads the question was not counted, so it is not sent back."""
    failed = Job.objects.for_org(scope.org).dead_letters().filter(finished_at__lte=until)
    return narrowed(failed, form.filters()).order_by("-failed_at", "-id")


def moment_of(data: QueryDict) -> datetime:
    """The time of the count that was confirmed; now, when it is still to be."""
    if "until" not in data:
        return timezone.now()
    try:
        moment = parse_datetime(data.get("until", ""))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRequest("The time of the count is missing.")
    return min(moment, timezone.now())


def confirmed(request: HttpRequest, count: int) -> bool:
    """The question was answered; a large number must have been typed, as it was shown."""
    typed = request.POST.get("count", "").strip()
    return "until" in request.POST and (count <= TYPE_COUNT_ABOVE or typed == str(count))
