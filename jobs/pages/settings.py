"""An organisation's settings in one place: what its admins set, and what the deployment says for all."""

from typing import Any

from django.conf import settings as deployment
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from jobs.categories import categories_of
from jobs.models import Limit
from jobs.queue import job_settings, quotas
from orgs.forms import OrgForm
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

MOST_LIMITS = 20

QUOTAS = {
    quotas.WAITING_JOBS: _("Waiting jobs"),
    quotas.PAYLOAD_BYTES: _("Payload bytes"),
    quotas.SCHEDULES: _("Schedules"),
    quotas.ARTEFACT_BYTES: _("Artefact bytes"),
}


@org_page(Action.READ)
def settings(request: HttpRequest, scope: Scope) -> HttpResponse:
    """Read by every member; the forms are for org_admins, and lead to the routes that take each."""
    limits = list(Limit.objects.for_org(scope.org).order_by("scope", "name")[: MOST_LIMITS + 1])
    context: dict[str, Any] = {
        "name_form": OrgForm(initial={"name": scope.org.name}, auto_id="id_org_%s"),
        "hosts": job_settings.shown(scope.org),
        "categories": categories_of(scope.org),
        "limits": limits[:MOST_LIMITS],
        "more_limits": len(limits) > MOST_LIMITS,
        "quotas": [(QUOTAS[one.quota], one) for one in quotas.usage(scope.org)],
        "kept": {
            "jobs": deployment.RETENTION_DAYS,
            "dead": deployment.DEAD_LETTER_RETENTION_DAYS,
            "deliveries": deployment.DELIVERY_RETENTION_DAYS,
        },
        "grace_days": deployment.ORG_GRACE_DAYS,
    }
    return render(request, "jobs/settings.html", context)
