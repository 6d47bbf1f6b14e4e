"""The page of what an organisation may have at once, and has."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from jobs import sums
from jobs.errors import ArtefactTooLarge
from jobs.queue import quotas
from jobs.queue.new_job import PAYLOAD_SIZE
from orgs import limit_hits, rates
from orgs.models import LimitHit
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

# What people read of each quota: what it counts, and what makes room.
WORDS = {
    quotas.WAITING_JOBS: (
        _("Waiting jobs"),
        _("They wait for a worker, a time or other jobs. There is room as they start."),
    ),
    quotas.PAYLOAD_BYTES: (
        _("Payloads"),
        _("Of all jobs that have not ended. There is room as they end."),
    ),
    quotas.SCHEDULES: (
        _("Schedules"),
        _("Paused ones too. There is room when one is removed."),
    ),
    quotas.ARTEFACT_BYTES: (
        _("Files"),
        _("Sent and made. There is room when they are deleted, or go with their jobs."),
    ),
}
IN_BYTES = {quotas.PAYLOAD_BYTES, quotas.ARTEFACT_BYTES}
# From here on a quota is said to be nearly reached.
NEAR_PERCENT = 80
RAN_HOURS = 720
# What people read of each limit that may refuse something.
LIMITS = {quota: words[0] for quota, words in WORDS.items()} | {
    PAYLOAD_SIZE: _("Size of a payload"),
    ArtefactTooLarge.limit: _("Size of a file"),
    rates.ORG_JOBS: _("Jobs that the organisation submits"),
    rates.USER_JOBS: _("Jobs that one person submits"),
    rates.ORG_CALLS: _("Calls in the organisation"),
    rates.CALLER: _("Calls of one person or key"),
    rates.ORG_EXPORTS: _("Exports of all data"),
}


def hits(found: Iterable[LimitHit]) -> list[dict[str, Any]]:
    """By limit, that which refused most first; `found` has the newest first."""
    sums: Counter[str] = Counter()
    last: dict[str, date] = {}
    for one in found:
        sums[one.name] += one.hits
        last.setdefault(one.name, one.day)
    return [
        {"limit": name, "label": LIMITS.get(name, name), "hits": count, "last": last[name]}
        for name, count in sums.most_common()
    ]


@org_page(Action.READ)
def usage(request: HttpRequest, scope: Scope) -> HttpResponse:
    rows = [
        {
            "of": one,
            "label": WORDS[one.quota][0],
            "about": WORDS[one.quota][1],
            "bytes": one.quota in IN_BYTES,
            "near": NEAR_PERCENT <= one.percent < 100,
            "full": one.used >= one.limit,
        }
        for one in quotas.usage(scope.org)
    ]
    ran = sums.in_all(scope.org, RAN_HOURS).sums
    context = {"hits": hits(limit_hits.lately(scope.org)), "hit_days": limit_hits.DAYS_SHOWN}
    context |= {"rows": rows, "weight": scope.org.weight, "ran": ran, "ran_days": RAN_HOURS // 24}
    return render(request, "jobs/usage.html", context)
