"""Before and after a job, in the list that its page was opened from."""

from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from django.http import QueryDict

from jobs.listing import NULLABLE, Sort, TooSlow, bounded, encoded, narrowed, page
from jobs.models import Job, JobQuerySet
from jobs.pages.filters import DeadLetterForm, JobFilterForm, ListForm
from jobs.search.find import Finder
from orgs.scope import Scope

# The `region` of a list: the form that reads its address, and where it is.
LISTS: dict[str, tuple[type[ListForm], str]] = {
    "jobs": (JobFilterForm, "/jobs/"),
    "dead": (DeadLetterForm, "/dead-letters/"),
}
LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The jobs before and after, where there are any; the list; and what links to them carry along."""

    previous: UUID | None
    next: UUID | None
    list_url: str
    carried: str


def neighbours(scope: Scope, job: Job, query: str) -> Neighbours | None:
    """By the `in` of the address; None without one, and where it is none."""
    if not query or len(query) > LONGEST:
        return None
    data = QueryDict(query)
    form_class, path = LISTS.get(data.get("list", ""), (None, ""))
    form = form_class(data, scope.org) if form_class else None
    if form is None or not form.is_valid():
        return None
    sort: Sort = form.cleaned_data["sort"]
    finder = Finder(scope.org.pk, form.filters())
    jobs = narrowed(Job.objects.for_org(scope.org).only("pk", sort.field), finder.filters)
    if data["list"] == "dead":
        jobs = jobs.dead_letters()
    try:
        with bounded():
            before = preceding(jobs, job, sort, finder)
            after = beyond(jobs, job, sort, finder)
    except TooSlow:
        before = after = None
    asked = urlencode(form.asked())
    return Neighbours(before, after, f"{path}?{asked}" if asked else path, urlencode({"in": query}))


def preceding(jobs: JobQuerySet, job: Job, sort: Sort, finder: Finder) -> UUID | None:
    """Jobs without the value come last either way: turning the order round turns each part by itself."""
    turned = Sort(sort.word, not sort.descending)
    if sort.word not in NULLABLE:
        return beyond(jobs, job, turned, finder)
    valued = jobs.exclude(**{sort.field: None})
    if getattr(job, sort.field) is not None:
        return beyond(valued, job, turned, finder)
    # the first without it comes after the last that has one
    return beyond(jobs, job, turned, finder) or first(valued, turned, "", finder)


def beyond(jobs: JobQuerySet, job: Job, sort: Sort, finder: Finder) -> UUID | None:
    if sort.word == "failed" and job.failed_at is None:
        return None
    return first(jobs, sort, encoded(job, sort), finder)


def first(jobs: JobQuerySet, sort: Sort, cursor: str, finder: Finder) -> UUID | None:
    found = page(jobs, size=1, sort=sort, cursor=cursor, finder=finder).jobs
    return found[0].pk if found else None
