"""A list as a file, at once: up to so many rows. What is more takes a data-export job (jobs.pages.exports)."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.audit_list import taken
from jobs.exports.sources import rows_of
from jobs.handlers.datasets import DATASETS, JOB_JSON, Question
from jobs.handlers.tables import Csv, JsonLines, Table
from jobs.listing import TooSlow, bounded
from jobs.pages.exports import NAMES, order
from jobs.pages.filters import DeadLetterForm, JobFilterForm, ListForm
from jobs.pages.lists import TOO_SLOW
from orgs import audit, walls
from orgs.pages import org_page
from orgs.roles import Action
from orgs.scope import Scope

MOST = 10_000
# Read and written at a time.
ROWS = 500
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


@org_page(Action.READ)
def download_jobs(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """What the list of jobs shows with this query, on all its pages."""
    return downloaded(request, scope, "jobs", JobFilterForm(request.GET, scope.org), "/jobs/")


@org_page(Action.READ)
def download_dead_letters(request: HttpRequest, scope: Scope) -> HttpResponseBase:
    """The same for the dead letters."""
    return downloaded(request, scope, "dead_letters", DeadLetterForm(request.GET, scope.org), "/dead-letters/")


def downloaded(request: HttpRequest, scope: Scope, dataset: str, form: ListForm, path: str) -> HttpResponseBase:
    kind = request.GET.get("format", "csv")
    if not form.is_valid() or kind not in TYPES:
        raise BadRequest(_("The filter is not valid."))
    filters = {NAMES.get(name, name): value for name, value in asdict(form.filters()).items() if value}
    question = Question(dataset, DATASETS[dataset].usual, filters, order(form.cleaned_data["sort"], dataset))
    found: Any = rows_of(question, scope.org.pk)
    try:
        with bounded():
            ids = list(found.staying().values_list("pk", flat=True)[: MOST + 1])
    except TooSlow:
        messages.error(request, TOO_SLOW)
        return redirect(f"{path}?{request.GET.urlencode()}")
    if len(ids) > MOST:
        return by_a_job(request, path)
    audit.record(
        "job.export", org=scope.org, actor=scope.user, target=kind, request=request, rows=len(ids),
        filter=form.narrowing(),
    )  # fmt: skip
    response = StreamingHttpResponse(walls.carried(pieces(found, ids, question, kind)), content_type=TYPES[kind])
    name = f"{scope.org.slug}-{path.strip('/')}-{timezone.now():%Y%m%d-%H%M%S}.{kind}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def by_a_job(request: HttpRequest, path: str) -> HttpResponse:
    query = request.GET.copy()
    query.pop("format", None)
    messages.info(request, _("There are more than %(most)s rows: a job writes them into a file.") % {"most": MOST})
    return redirect(f"{path}export/?{query.urlencode()}")


def pieces(found: Any, ids: Sequence[UUID], question: Question, kind: str) -> Iterator[str]:
    """Some rows at a time, each with a statement of its own: no transaction stays open while a slow reader reads."""
    out = io.StringIO()
    columns = list(question.columns)
    table: Table = Csv(out, columns, JOB_JSON) if kind == "csv" else JsonLines(out, columns)
    for start in range(0, len(ids), ROWS):
        for row in found.filter(pk__in=ids[start : start + ROWS]):
            table.row(list(row))
        yield taken(out)
    table.end()
    yield taken(out)
