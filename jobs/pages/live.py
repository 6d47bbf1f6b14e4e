"""Live regions: a region says which version it shows, and gets 204 while that is still the present one."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse

from jobs.queue import sql
from orgs.models import Org

# More moves than can be under way, uncommitted, in one organisation while a later one is seen.
NEWEST_MOVES = 64


def org_version(org: Org) -> str:
    """Differs after every move, progress and classification of the organisation's jobs, and from that of any other."""
    (row,) = sql.run("org_version", org_id=org.pk, moves=NEWEST_MOVES)
    return f"{org.pk}.{row.moves}.{row.running}.{row.told}"


def job_version(job_id: UUID) -> str:
    """Differs after whatever the job's page would show."""
    (row,) = sql.run("job_version", job_id=job_id)
    return f"{row.move}.{row.line}.{row.running}.{row.told}.{row.files}"


def is_poll(request: HttpRequest) -> bool:
    """Whether a live region asks, rather than a person."""
    return "v" in request.GET


def unchanged(request: HttpRequest, version: str) -> HttpResponse | None:
    """The empty answer to a region that already shows this version."""
    return nothing_new() if request.GET.get("v") == version else None


def unmoved(request: HttpRequest, version: str) -> HttpResponse | None:
    """The same of a version that changes where the pulse of the organisation does, or by time alone."""
    return nothing_moved() if request.GET.get("v") == version else None


def nothing_moved() -> HttpResponse:
    """Nothing new, and but for time nothing will be until the pulse is another: smartqueue.polls."""
    answer = nothing_new()
    answer.told_by_pulse = True  # type: ignore[attr-defined]
    return answer


def nothing_new() -> HttpResponse:
    return HttpResponse(status=204, headers={"Cache-Control": "no-store"})


def pulse(org_id: int) -> str:
    """Differs after every move of a job of the organisation, act of a person, and coming or going of a process."""
    (row,) = sql.run("poll_pulse", org_id=org_id, moves=NEWEST_MOVES)
    return str(row.pulse)
