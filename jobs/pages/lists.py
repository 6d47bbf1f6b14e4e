"""The list of jobs, and what it shares with the list of dead letters."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponse

from jobs.listing import InvalidCursor, JobPage, Sort, TooSlow, bounded, narrowed, page
from jobs.models import Job, JobQuerySet, Lease
from jobs.pages.filters import PAGE_SIZES, JobFilterForm, ListForm, NarrowingForm
from jobs.pages.live import is_poll, org_version, unchanged
from jobs.queue import sql
from jobs.states import Status
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

TOO_SLOW = "The database took too long: narrow the filter, above all the time range."


AnyForm = TypeVar("AnyForm", bound=NarrowingForm)


@dataclass(frozen=True)
class Paged(Generic[AnyForm]):
    """A list as its templates see it. `region` is the id of the fragment that changes."""

    path: str
    region: str
    form: AnyForm
    faults: list[str]

    @property
    def here(self) -> str:
        return self.address(self.form.asked())

    @property
    def narrowing(self) -> dict[str, str]:
        return self.form.narrowing()

    @property
    def exporting(self) -> dict[str, str]:
        """The rows of all pages, in this order."""
        return {name: value for name, value in self.form.asked().items() if name not in ("limit", "cursor")}

    @property
    def beyond_first(self) -> bool:
        return bool(self.form.data.get("cursor"))

    @property
    def sizes(self) -> tuple[int, ...]:
        return PAGE_SIZES

    @property
    def size(self) -> int:
        return page_size(self.form)

    def url(self, **changes: Any) -> str:
        """This list with some parameters changed, from its first page on."""
        return self.address({**self.form.asked(), "cursor": None, **changes})

    def address(self, params: dict[str, Any]) -> str:
        query = urlencode({name: value for name, value in params.items() if value not in (None, "")})
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True)
class Listing(Paged[ListForm]):
    """A list of jobs, which refreshes itself."""

    version: str
    found: JobPage
    sort: Sort

    @property
    def jobs(self) -> list[Job]:
        return self.found.jobs

    @property
    def next_cursor(self) -> str | None:
        return self.found.next_cursor


def page_size(form: NarrowingForm) -> int:
    size: int = form.cleaned_data.get("limit") or PAGE_SIZES[1]
    return size


def listing(jobs: JobQuerySet, form: ListForm, *, path: str, region: str, version: str) -> Listing:
    """What is asked for, of these jobs; an empty list with what is wrong when that cannot be answered."""
    found, faults, sort = JobPage([], None), [], form.default_sort
    if form.is_valid():
        sort = form.cleaned_data["sort"]
        try:
            with bounded():
                chosen = narrowed(jobs, form.filters())
                found = page(chosen, size=page_size(form), sort=sort, cursor=form.cleaned_data["cursor"])
        except TooSlow:
            faults = [TOO_SLOW]
        except InvalidCursor as error:
            faults = [str(error)]
    else:
        faults = form.plain_faults() or ["Mend the filter to see jobs."]
    return Listing(path, region, form, faults, version, found, sort)


def shown(org: Org) -> JobQuerySet:
    """Jobs with what a row shows, without what only their page does."""
    progress = Lease.objects.filter(job_id=OuterRef("pk")).values("progress")[:1]
    jobs = Job.objects.for_org(org).with_state().annotate(progress=Subquery(progress))
    return jobs.select_related("created_by").defer("payload", "result", "description")


def answer(request: HttpRequest, page: str, fragment: str, listed: Listing, **context: Any) -> HttpResponse:
    """The page or its region; when a person narrowed the list, the address follows."""
    response = page_or_fragment(request, page, fragment, {"listing": listed, "form": listed.form, **context})
    if not is_poll(request):
        response["HX-Push-Url"] = listed.here
    return response


@org_page(Action.READ)
def job_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """All jobs of the organisation, filtered, sorted and live."""
    version = org_version(scope.org)
    if same := unchanged(request, version):
        return same
    form = JobFilterForm(request.GET, scope.org)
    listed = listing(shown(scope.org), form, path=request.path, region="jobs", version=version)
    return answer(request, "jobs/list.html", "jobs/_jobs.html", listed, chips=chips(listed, scope.org))


def chips(listed: Listing, org: Org) -> list[dict[str, Any]]:
    """A link per status, with its count where the filters leave that exact: alone or with a queue."""
    narrowing = listed.narrowing
    counted = not set(narrowing) - {"status", "queue"}
    counts = dict.fromkeys(Status, 0)
    for row in sql.run("org_counts", org_id=org.pk) if counted else []:
        if row.queue == narrowing.get("queue", row.queue):
            counts[Status(row.status)] += row.jobs
    chosen = narrowing.get("status", "")
    every = {"word": "", "label": "all", "jobs": sum(counts.values())}
    each = [{"word": str(status), "label": str(status), "jobs": counts[status]} for status in Status]
    return [
        {**chip, "current": chip["word"] == chosen, "jobs": chip["jobs"] if counted else None}
        for chip in [every, *each]
    ]
