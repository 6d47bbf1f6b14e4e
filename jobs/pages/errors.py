"""Errors that say the same, together: what goes wrong, how often, since when, and sending its jobs back."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ValidationError

from jobs.api.paging import key_page
from jobs.errors import ErrorGroupNotFound
from jobs.handlers import registry
from jobs.listing import TooSlow, bounded
from jobs.models import ErrorGroup, Follower, Job
from jobs.pages.filters import NarrowingForm, later, offered
from jobs.pages.head import queues_of
from jobs.pages.lists import TOO_SLOW, Paged, page_size
from jobs.pages.live import unchanged
from jobs.search.errors import SORTS, Shown, group_of, groups, shown
from orgs.models import Org
from orgs.pages import org_page, page_or_fragment
from orgs.roles import Action
from orgs.scope import Scope

# Of the page of one.
DAYS = 30


class ErrorForm(NarrowingForm):
    """What the list of errors can be asked."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), required=False)
    queue = forms.ChoiceField(label=gettext_lazy("Queue"), required=False)
    sort = forms.ChoiceField(
        label=gettext_lazy("Sorted by"),
        required=False,
        choices=[("", gettext_lazy("Last seen")), ("count", gettext_lazy("How often"))],
    )
    # of jobs
    correlation_id = None  # type: ignore[assignment]

    MORE: ClassVar = ()
    HIDDEN = ("limit", "cursor")
    SHAPE = ("sort", "limit", "cursor")
    field_order = ("type", "queue", "within", "sort", "limit", "cursor")

    def __init__(self, data: Any, org: Org) -> None:
        super().__init__(data, org)
        self.fields["within"].label = gettext_lazy("Seen in the last")
        offered(self, "type", registry.types())
        offered(self, "queue", queues_of(org))


@dataclass(frozen=True)
class ErrorList(Paged[ErrorForm]):
    version: str
    found: list[Shown]
    next_cursor: str | None

    @property
    def jobs(self) -> list[Shown]:
        """What the foot counts."""
        return self.found


@org_page(Action.READ)
def error_list(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The groups, the latest or the most frequent first."""
    version = version_of(scope.org)
    if same := unchanged(request, version):
        return same
    form = ErrorForm(request.GET, scope.org)
    found: list[Shown] = []
    faults, next_cursor = [], None
    if form.is_valid():
        try:
            with bounded():
                rows, next_cursor = rows_of(form, scope)
                found = shown(scope.org, rows)
        except TooSlow:
            faults = [str(TOO_SLOW)]
        except ValidationError:
            faults = [_("This is no cursor of this list.")]
    else:
        faults = form.plain_faults() or [_("Mend the filter to see errors.")]
    listed = ErrorList(request.path, "errors", form, faults, version, found, next_cursor)
    response = page_or_fragment(request, "jobs/errors.html", "jobs/_errors.html", {"listing": listed, "form": form})
    if "v" not in request.GET:
        response["HX-Push-Url"] = listed.here
    return response


def rows_of(form: ErrorForm, scope: Scope) -> tuple[list[ErrorGroup], str | None]:
    asked = form.cleaned_data
    rows = groups(scope.org, since=later(None, asked["within"]), type=asked["type"], queue=asked["queue"])
    order = SORTS[asked["sort"] or "last"]
    return key_page(rows, order, "-id", limit=page_size(form), cursor=asked["cursor"])


def version_of(org: Org) -> str:
    """Differs once more failures are counted."""
    latest = ErrorGroup.objects.filter(org_id=org.pk).order_by("-last_at", "-id").first()
    return f"{latest.pk}.{latest.attempts}.{latest.last_at.timestamp()}" if latest else "0"


@org_page(Action.READ)
def error_page(request: HttpRequest, scope: Scope, fingerprint: str) -> HttpResponse:
    """One group: what it says, when it came, whose jobs it is about."""
    try:
        with bounded():
            (found,) = shown(scope.org, [group_of(scope.org, fingerprint)], days=DAYS)
            last = Job.objects.for_org(scope.org).filter(pk=found.group.last_job_id).only("pk", "name", "title").first()
    except ErrorGroupNotFound as error:
        raise Http404 from error
    except TooSlow:
        return page_or_fragment(request, "jobs/error.html", "jobs/error.html", {"fault": TOO_SLOW})
    counted = Follower.objects.filter(name="errors").values_list("done_at", flat=True).first()
    context = {"found": found, "group": found.group, "last": last, "counted_up_to": counted, "days": DAYS}
    return page_or_fragment(request, "jobs/error.html", "jobs/error.html", context)
