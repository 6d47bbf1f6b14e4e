"""The audit trail of an organisation as a list: what it can be narrowed to, and the whole of that as a file."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs.handlers.tables import Csv, JsonLines, Table, in_utc
from jobs.hiding import hide
from jobs.models import Job
from orgs import audit
from orgs.models import AuditEntry
from orgs.removed_names import acted_by, done_to, hide_in_entries
from orgs.scope import Scope

EQUAL = ("action", "correlation_id", "address")
COLUMNS = ("id", "at", "actor", "key", "action", "target", "detail", "address", "correlation_id")
# Read and written at a time: what an export holds in memory.
EXPORT_ROWS = 500


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """All that are set must hold."""

    actor: str = ""
    action: str = ""
    target: str = ""
    correlation_id: str = ""
    address: str = ""
    after: datetime | None = None
    before: datetime | None = None
    job: UUID | None = None


def audit_of(scope: Scope, filters: AuditFilters) -> QuerySet[AuditEntry]:
    """The entries of the organisation that pass the filters, in no order."""
    rows = AuditEntry.objects.filter(org=scope.org)
    if filters.actor:
        rows = rows.filter(acted_by(filters.actor))
    if filters.target:
        rows = rows.filter(done_to(filters.target))
    for name in EQUAL:
        if value := getattr(filters, name):
            rows = rows.filter(**{name: value})
    if filters.after:
        rows = rows.filter(at__gte=filters.after)
    if filters.before:
        rows = rows.filter(at__lt=filters.before)
    return rows.filter(about_job(scope, filters.job)) if filters.job else rows


def about_job(scope: Scope, job_id: UUID) -> Q:
    """Acts on the job itself, on its batch, and on many jobs of which it is one."""
    batches = Job.objects.for_org(scope.org).filter(pk=job_id, batch_id__isnull=False)
    return about(job_id, batches.values_list("batch_id", flat=True).first())


def about(job_id: UUID, batch_id: UUID | None) -> Q:
    """The same of a job whose batch is known."""
    targets = [str(one) for one in (job_id, batch_id) if one]
    return Q(target__in=targets) | Q(detail__has_key="jobs", detail__contains={"jobs": [str(job_id)]})


def shown(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Entries by COLUMNS, without what nobody is shown."""
    return [as_columns(entry) for entry in hide_in_entries(list(entries))]


def as_columns(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.pk,
        "at": entry.at,
        "actor": entry.actor_name,
        "key": entry.key_prefix,
        "action": entry.action,
        "target": entry.target,
        "detail": hide(entry.detail),
        "address": entry.address,
        "correlation_id": entry.correlation_id,
    }


def as_csv(out: io.StringIO) -> Table:
    return Csv(out, COLUMNS, frozenset({"detail"}))


def as_lines(out: io.StringIO) -> Table:
    return JsonLines(out, COLUMNS)


# By the word of the query: the type of the file and who writes it.
FORMS: Mapping[str, tuple[str, Callable[[io.StringIO], Table]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/x-ndjson", as_lines),
}


def export(scope: Scope, filters: AuditFilters, form: str, request: Any) -> Iterator[str]:
    """The file in pieces, the earliest entry first; that it was taken is in the trail before its first byte."""
    given = {name: plain(value) for name, value in asdict(filters).items() if value}
    audit.record("audit.export", org=scope.org, actor=scope.user, target=form, request=request, filter=given)
    # What is written while it is read is in the next one, or the reader might never come to the end.
    return pieces(audit_of(scope, filters).filter(at__lte=timezone.now()), FORMS[form][1])


def plain(value: Any) -> str:
    return in_utc(value) if isinstance(value, datetime) else str(value)


def pieces(rows: QuerySet[AuditEntry], written_by: Callable[[io.StringIO], Table]) -> Iterator[str]:
    """Page by page, each with a statement of its own: no transaction stays open while a slow reader reads."""
    out = io.StringIO()
    table = written_by(out)
    ordered = rows.order_by("at", "pk")
    page = list(ordered[:EXPORT_ROWS])
    while page:
        for entry in shown(page):
            table.row(list(entry.values()))
        yield taken(out)
        last = page[-1]
        later = ordered.filter(Q(at__gt=last.at) | Q(pk__gt=last.pk), at__gte=last.at)
        page = list(later[:EXPORT_ROWS]) if len(page) == EXPORT_ROWS else []
    table.end()
    yield taken(out)


def taken(out: io.StringIO) -> str:
    """What was written since."""
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text
