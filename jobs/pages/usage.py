"""The page of what an organisation may have at once, and has."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from jobs import sums
from jobs.queue import quotas
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
    context = {"rows": rows, "weight": scope.org.weight, "ran": ran, "ran_days": RAN_HOURS // 24}
    return render(request, "jobs/usage.html", context)
