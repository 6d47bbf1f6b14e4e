"""From a list to its rows as a file: the submit form of a data-export job, filled in with the list's filter."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from jobs.exports.sources import SORTS
from jobs.forms.data_export import DataExportForm, written
from jobs.handlers.datasets import DATASETS
from jobs.listing import Filters, Sort
from jobs.pages.filters import DeadLetterForm, JobFilterForm, ListForm
from jobs.pages.submit import form_page, fresh
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

# Filters that a payload calls otherwise.
NAMES = {"statuses": "status", "text": "q"}
# What the list of dead letters calls otherwise.
DEAD_NAMES = {"finished_after": "failed_after", "finished_before": "failed_before"}
WORDS = {ours: word for word, ours in SORTS.items()}


@org_page(Action.READ)
def export_jobs(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The form for what the list of jobs shows with this query; those who may not submit see which role may."""
    return filled_in(request, scope, "jobs", JobFilterForm(request.GET, scope.org), "/jobs/")


@org_page(Action.READ)
def export_dead_letters(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The same for the dead letters."""
    return filled_in(request, scope, "dead_letters", DeadLetterForm(request.GET, scope.org), "/dead-letters/")


def filled_in(request: HttpRequest, scope: Scope, dataset: str, asked: ListForm, path: str) -> HttpResponse:
    if not asked.is_valid():
        # the list tells what is wrong with it
        return redirect(f"{path}?{request.GET.urlencode()}")
    payload = {
        "dataset": dataset,
        "filter": given(asked.filters(), NAMES | (DEAD_NAMES if dataset == "dead_letters" else {})),
        "order": order(asked.cleaned_data["sort"], dataset),
    }
    initial = DataExportForm.initial_of(payload) | fresh()
    return form_page(request, DataExportForm(initial=initial, org=scope.org, type="data-export"))


def given(filters: Filters, names: dict[str, str]) -> dict[str, Any]:
    """The filters of a list in a payload's words."""
    asked = {name: value for name, value in asdict(filters).items() if value not in (None, "", ())}
    return {names.get(name, name): plain(value) for name, value in asked.items()}


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        # pickers know no fractions
        return written(value.replace(microsecond=0))
    if isinstance(value, bool | int | float):
        return value
    return [str(one) for one in value] if isinstance(value, tuple) else str(value)


def order(sort: Sort, dataset: str) -> str:
    """A list can be sorted by what its rows have no column for; then as usual."""
    word = str(Sort(WORDS.get(sort.word, sort.word), sort.descending))
    return word if word in DATASETS[dataset].orders else ""
