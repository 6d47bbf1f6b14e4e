"""The dead letters: what failed for good, why and when, and sending it back."""

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from jobs.pages.filters import DeadLetterForm
from jobs.pages.head import head_of
from jobs.pages.lists import answer, listing, shown
from jobs.pages.live import org_version, unmoved
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope


@org_page(Action.READ)
def dead_letters(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Failed jobs, the latest failure first."""
    version = org_version(scope.org)
    if same := unmoved(request, version):
        return same
    form = DeadLetterForm(request.GET, scope.org, head_of(scope))
    failed = shown(scope.org).dead_letters()
    listed = listing(failed, form, path=request.path, region="dead", version=version)
    return answer(request, "jobs/dead_letters.html", "jobs/_dead_letters.html", listed)


@org_page(Action.REPLAY)
def replay_all(request: HttpRequest, scope: Scope) -> HttpResponse:
    """An older address: all that match are replayed by a bulk operation."""
    query = urlencode({**request.GET.dict(), "of": "dead-letters", "kind": "replay"})
    return redirect(f"/bulk-operations/new/?{query}")
