"""The page of all organisations, for platform admins: what each has and may have, and whether it goes on."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from jobs.pages.usage import IN_BYTES, WORDS
from jobs.queue import quotas, sql
from jobs.spoken import spoken
from orgs import life
from orgs.forms import PlatformOrgForm, SuspensionForm
from orgs.models import Org
from orgs.pages import platform_page
from orgs.platform import change_org
from orgs.roles import OrgState
from orgs.scope import person

PER_PAGE = 50
LONGEST_WORDS = 100


@platform_page()
def organisations(request: HttpRequest) -> HttpResponse:
    """The newest first, narrowed by words and by state."""
    words, state = request.GET.get("q", "").replace("\0", "")[:LONGEST_WORDS], request.GET.get("state", "")
    found = life.found(words, state if state in list(OrgState) else None)
    if (before := request.GET.get("before", "")).isdecimal() and len(before) < len(str(2**63)):
        found = found.filter(pk__lt=int(before))
    orgs = list(found.annotate(members=Count("memberships")).order_by("-pk")[: PER_PAGE + 1])
    shown = orgs[:PER_PAGE]
    older = urlencode({"q": words, "state": state, "before": str(shown[-1].pk)}) if len(orgs) > PER_PAGE else ""
    context = {"rows": rows_of(shown), "q": words, "state": state, "states": list(OrgState), "older": older}
    return render(request, "jobs/organisations.html", context)


def rows_of(orgs: Sequence[Org]) -> list[dict[str, Any]]:
    use = {row.org_id: row for row in sql.run("orgs_use", org_ids=[org.pk for org in orgs])}
    return [
        {
            "org": org,
            "running": use[org.pk].running_jobs,
            "oldest_wait_ms": (use[org.pk].oldest_wait_seconds or 0) * 1000,
            "quotas": [
                {
                    "label": label,
                    "bytes": quota in IN_BYTES,
                    "used": use[org.pk][quota],
                    "limit": quotas.limit_of(org, quota),
                    "own": getattr(org, quotas.QUOTAS[quota][0]) is not None,
                }
                for quota, (label, _about) in WORDS.items()
            ],
            "form": PlatformOrgForm(initial=settings_of(org), auto_id=f"id_{org.slug}_%s"),
            "suspension": SuspensionForm(auto_id=f"id_{org.slug}_%s"),
        }
        for org in orgs
    ]


def settings_of(org: Org) -> dict[str, Any]:
    return {name: getattr(org, name) for name in PlatformOrgForm.base_fields}


@platform_page(("POST",))
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Its weight and quotas: those that the form changed."""
    form = PlatformOrgForm(request.POST, initial=settings_of(get_object_or_404(Org, slug=slug)))
    if not form.is_valid():
        return refused(request, slug, form)
    asked = {name: form.cleaned_data[name] for name in form.changed_data}
    change_org(slug, asked, actor=person(request), request=request)
    words = _("%(org)s has its new numbers.") if asked else _("Nothing of %(org)s was changed.")
    return said(request, slug, words % {"org": slug})


@platform_page(("POST",))
def suspend(request: HttpRequest, slug: str) -> HttpResponse:
    form = SuspensionForm(request.POST)
    if not form.is_valid():
        return refused(request, slug, form)
    life.suspend(slug, reason=form.cleaned_data["reason"], actor=person(request), request=request)
    return said(request, slug, _("%(org)s is suspended.") % {"org": slug})


@platform_page(("POST",))
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    org = life.resume(slug, actor=person(request), request=request)
    words = _("%(org)s goes on.") if org.state == OrgState.ACTIVE else _("%(org)s is %(state)s.")
    return said(request, slug, words % {"org": slug, "state": spoken(org.state)})


def refused(request: HttpRequest, slug: str, form: Form) -> HttpResponse:
    for name, errors in form.errors.items():
        nothing = _("Nothing of %(org)s was changed.") % {"org": slug}
        messages.error(request, f"{nothing} {form.fields[name].label or name}: {errors[0]}")
    return back(slug)


def said(request: HttpRequest, slug: str, words: str) -> HttpResponse:
    messages.success(request, words)
    return back(slug)


def back(slug: str) -> HttpResponse:
    response = redirect("platform-organisations")
    response["Location"] += f"?{urlencode({'q': slug})}"
    return response
