"""The list of jobs, and what it shares with the list of dead letters."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Case, F, OuterRef, Subquery, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.listing import Count, Finder, InvalidCursor, JobPage, Sort, TooSlow, bounded, counted, narrowed, page
from jobs.models import Job, JobQuerySet, Lease
from jobs.pages.filters import PAGE_SIZES, JobFilterForm, ListForm, NarrowingForm
from jobs.pages.head import COLUMNS, USUAL, head_of
from jobs.pages.live import is_poll, org_version, unmoved
from jobs.queue import sql
from jobs.states import Status
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# Of larger payloads a row shows the size.
GLANCE_BYTES = 8_000
TOO_SLOW = gettext_lazy("The database took too long: narrow the filter, above all the time range.")

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
    def narrowing_query(self) -> str:
        """The filters that are set, as a part of another address."""
        return urlencode(self.narrowing)

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
class ActiveFilter:
    """One that is set, with the list without it."""

    name: str
    label: str
    value: str


@dataclass(frozen=True)
class Listing(Paged[ListForm]):
    """A list of jobs, which refreshes itself."""

    version: str
    found: JobPage
    sort: Sort
    # How many there are, where that is asked and known.
    count: Count | None
    # Up to when jobs have words to be found by; None where they were all looked at.
    found_up_to: datetime | None

    @property
    def active(self) -> list[ActiveFilter]:
        return [ActiveFilter(*one) for one in self.form.active()]

    @property
    def unfiltered(self) -> str:
        """The list as it is without a filter, whatever view is shown first."""
        has_default = self.form.head is not None and self.form.head.default is not None
        return f"{self.path}?view=none" if has_default else self.path

    @property
    def shows(self) -> tuple[str, ...]:
        return self.form.head.columns if self.form.head else USUAL

    @property
    def labels(self) -> dict[str, str]:
        """The names of the columns, translated once and not in each row."""
        return {name: str(label) for name, label in COLUMNS.items()}

    @property
    def compact(self) -> bool:
        return self.form.head is not None and self.form.head.compact

    @property
    def saving(self) -> str:
        """For the page that saves it under a name."""
        kept = {name: value for name, value in self.form.asked().items() if name not in ("cursor", "view")}
        return urlencode(kept)

    @property
    def charts(self) -> str:
        """Where charts are of the jobs of this queue and type."""
        kept: dict[str, str] = {name: self.narrowing[name] for name in ("queue", "type") if name in self.narrowing}
        return f"/analytics/?{urlencode(kept)}" if kept else "/analytics/"

    @property
    def carried(self) -> str:
        """For links to jobs, whose pages then know what stands before and after them (jobs.pages.neighbours)."""
        kept = {name: value for name, value in self.form.asked().items() if name not in ("limit", "cursor", "view")}
        return urlencode({"in": urlencode({"list": self.region, **kept})})

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
    count = up_to = None
    if form.is_valid():
        sort = form.cleaned_data["sort"]
        creator_id = form.head.creator_id if form.head else None
        finder = Finder(form.org.pk, form.filters(), counts=True, creator_id=creator_id)
        chosen = narrowed(jobs, finder.filters)
        try:
            with bounded():
                cursor = form.cleaned_data["cursor"]
                found = page(chosen, size=page_size(form), sort=sort, cursor=cursor, finder=finder)
                if finder.narrows and not cursor:
                    count = counted(chosen, finder.failed if sort.word == "failed" else finder)
            up_to = finder.followed_at
        except TooSlow:
            # where it was the count, the page stands without it
            faults = [] if found.jobs else [str(TOO_SLOW)]
        except InvalidCursor:
            faults = [_("This is no cursor of this list.")]
    else:
        faults = form.plain_faults() or [_("Mend the filter to see jobs.")]
    return Listing(path, region, form, faults, version, found, sort, count, up_to)


def shown(org: Org, columns: tuple[str, ...] = ()) -> JobQuerySet:
    """Jobs with what a row shows, without what only their page does."""
    progress = Lease.objects.filter(job_id=OuterRef("pk")).values("progress")[:1]
    jobs = Job.objects.for_org(org).staying().with_state().annotate(progress=Subquery(progress))
    if "arguments" in columns:
        jobs = jobs.annotate(arguments=Case(When(payload_bytes__lte=GLANCE_BYTES, then=F("payload"))))
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
    if same := unmoved(request, version):
        return same
    head = head_of(scope, creator=request.GET.get("creator", ""))
    if not request.GET and head.default:
        return redirect(f"{request.path}?{head.default.address}")
    form = JobFilterForm(request.GET, scope.org, head)
    listed = listing(shown(scope.org, head.columns), form, path=request.path, region="jobs", version=version)
    return answer(request, "jobs/list.html", "jobs/_jobs.html", listed, chips=chips(listed, scope.org), columns=COLUMNS)


def chips(listed: Listing, org: Org) -> list[dict[str, Any]]:
    """A link per status, with its count where the filters leave that exact: alone or with a queue."""
    narrowing = listed.narrowing
    counted = not set(narrowing) - {"status", "queue"}
    counts = dict.fromkeys(Status, 0)
    for row in sql.run("org_counts", org_id=org.pk) if counted else []:
        if row.queue == narrowing.get("queue", row.queue):
            counts[Status(row.status)] += row.jobs
    chosen = narrowing.get("status", "")
    every = {"word": "", "jobs": sum(counts.values())}
    each = [{"word": str(status), "jobs": counts[status]} for status in Status]
    return [
        {**chip, "current": chip["word"] == chosen, "jobs": chip["jobs"] if counted else None}
        for chip in [every, *each]
    ]
