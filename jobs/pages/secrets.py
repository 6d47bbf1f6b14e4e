"""The page of secrets: their names are listed, their values go in and never come out."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import TextField
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters

from jobs.models import Schedule
from jobs.references import REFERENCE, START, texts
from orgs import vault
from orgs.errors import Conflict
from orgs.models import Org, Secret
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

PER_PAGE = 100
# Of those that name a secret; an organisation has no more schedules by default.
MOST_SCHEDULES = 1_000
INVALID = 422


class SecretForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=64,
        validators=[vault.check_name],
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        help_text=gettext_lazy("A letter, then letters, digits and underscores. One that is there gets a new value."),
    )
    value = forms.CharField(
        label=gettext_lazy("Value"),
        strip=False,
        validators=[vault.check_value],
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text=gettext_lazy("Nobody can read it again, you neither."),
    )


@sensitive_post_parameters("value")
@org_page({"GET": Action.SUBMIT, "POST": Action.MANAGE_SECRETS}, ("GET", "POST"))
def secrets(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The list; POST sets one, a new one or the value of one there is."""
    if request.method != "POST":
        return secrets_page(request, scope, SecretForm(initial={"name": known_name(request)}))
    form = SecretForm(request.POST)
    if not form.is_valid():
        return secrets_page(request, scope, form, status=INVALID)
    try:
        secret, created = vault.put(form.cleaned_data["name"], form.cleaned_data["value"], scope=scope, request=request)
    except Conflict as error:
        form.add_error(None, str(error.detail))
        return secrets_page(request, scope, form, status=error.status_code)
    if created:
        messages.success(request, _("%(name)s is set.") % {"name": secret.name})
    else:
        told = _("%(name)s has a new value, version %(version)d. Each attempt that begins from now on gets it.")
        messages.success(request, told % {"name": secret.name, "version": secret.version})
    return redirect("secrets")


@org_page(Action.MANAGE_SECRETS, ("POST",))
def remove(request: HttpRequest, scope: Scope, name: str) -> HttpResponse:
    vault.remove(name, scope=scope, request=request)
    messages.success(request, _("%(name)s is removed: attempts that need it fail for good.") % {"name": name})
    return redirect("secrets")


def secrets_page(request: HttpRequest, scope: Scope, form: SecretForm, *, status: int = 200) -> HttpResponse:
    rows = Secret.objects.filter(org=scope.org).select_related("created_by", "updated_by").order_by("name")
    after = known_name(request, "after")
    if after:
        rows = rows.filter(name__gt=after)
    found = list(rows[: PER_PAGE + 1])
    used = used_by(scope.org)
    context: dict[str, Any] = {
        "secrets": [(secret, used.get(secret.name, [])) for secret in found[:PER_PAGE]],
        "after": found[PER_PAGE - 1].name if len(found) > PER_PAGE else "",
        "form": form,
    }
    return render(request, "jobs/secrets.html", context, status=status)


def known_name(request: HttpRequest, parameter: str = "name") -> str:
    """A name that the address gives, if it is one."""
    name = request.GET.get(parameter, "")
    try:
        vault.check_name(name)
    except ValidationError:
        return ""
    return name


def used_by(org: Org) -> dict[str, list[Schedule]]:
    """By name, the schedules whose jobs refer to a secret."""
    rows = Schedule.objects.for_org(org).annotate(text=Cast("job", TextField())).filter(text__contains=START)
    found: dict[str, list[Schedule]] = {}
    for schedule in rows.only("name", "job").order_by("name")[:MOST_SCHEDULES]:
        names = {name for _pointer, value in texts(schedule.job) for name in REFERENCE.findall(value)}
        for name in sorted(names):
            found.setdefault(name, []).append(schedule)
    return found
