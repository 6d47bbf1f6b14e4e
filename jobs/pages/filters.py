"""The filters of the lists of jobs as forms: what the address asks for, checked, with the fields to ask again."""

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar

from django import forms
from django.http import QueryDict
from django.utils import timezone

from jobs.audit_list import AuditFilters
from jobs.categories import categories_of
from jobs.forms.fields import moment_field
from jobs.handlers import registry
from jobs.listing import SORTS, Filters, Sort, parse_sort, parse_statuses
from jobs.models import Queue
from jobs.ranking import URGENCY_FACTOR
from jobs.states import Status
from orgs.models import Membership, Org

# Time ranges that move with the clock, so that a bookmark stays true.
WITHIN = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
PAGE_SIZES = (25, 50, 100, 200)
SUGGESTIONS = 200


class NarrowingForm(forms.Form):
    """What every list can be asked."""

    within = forms.ChoiceField(
        required=False, choices=[("", "Any time"), *((word, text) for word, (text, _) in WITHIN.items())]
    )
    correlation_id = forms.CharField(label="Correlation id", required=False, max_length=128)
    limit = forms.TypedChoiceField(required=False, coerce=int, choices=[(size, size) for size in PAGE_SIZES])
    cursor = forms.CharField(required=False, max_length=1_000)

    # Fields behind "More filters", fields without a label, and those that are no filters.
    MORE: ClassVar[tuple[str, ...]]
    HIDDEN: ClassVar[tuple[str, ...]] = ("limit", "cursor")
    SHAPE: ClassVar[tuple[str, ...]] = ("limit", "cursor")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(joined(data), auto_id="filter-%s")
        self.org = org

    def asked(self) -> dict[str, str]:
        """What is set, by name: the shortest address that says the same."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}

    def narrowing(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name, value in self.asked().items() if name not in self.SHAPE}

    def more_open(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)

    def plain_faults(self) -> list[str]:
        """What is wrong with fields that are not shown beside a label."""
        return [str(text) for name in self.HIDDEN for text in self.errors.get(name, [])]

    def people(self) -> list[str]:
        """Names to suggest."""
        members = Membership.objects.filter(org=self.org).order_by("user__username")
        return list(members.values_list("user__username", flat=True)[:SUGGESTIONS])


class ListForm(NarrowingForm):
    """What every list of jobs can be asked."""

    q = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput(attrs={"type": "search"})
    )
    type = forms.ChoiceField(required=False)
    queue = forms.ChoiceField(required=False)
    error_type = forms.CharField(label="Error class", required=False, max_length=128)
    sort = forms.CharField(required=False, max_length=40)

    # As addresses have them.
    field_order = ("q", "type", "queue", "within", "error_type", "correlation_id", "sort", "limit", "cursor")
    default_sort: ClassVar[Sort]
    HIDDEN = ("status", "sort", "limit", "cursor")
    SHAPE = ("sort", "limit", "cursor")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(data, org)
        queues = list(Queue.objects.for_org(org).order_by("name").values_list("name", flat=True)[:SUGGESTIONS])
        self.offer("type", registry.types())
        self.offer("queue", queues)

    def offer(self, name: str, words: list[str]) -> None:
        """These words and, so that an old bookmark still works, the one that is asked for."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        asked = self.data.get(name, "")[:64]
        extra = [asked] if asked and asked not in words else []
        field.choices = [("", "Any"), *((word, word) for word in [*words, *extra])]

    def clean_sort(self) -> Sort:
        text = self.cleaned_data["sort"]
        try:
            return parse_sort(text) if text else self.default_sort
        except ValueError as error:
            raise forms.ValidationError(f"Sorted by one of {', '.join(SORTS)}.") from error

    @abstractmethod
    def filters(self) -> Filters:
        """Call it after is_valid()."""


def joined(data: QueryDict) -> dict[str, str]:
    """One value a name; several statuses are read as one comma-separated word."""
    return {name: ",".join(data.getlist(name)) if name == "status" else data.get(name, "").strip() for name in data}


def later(moment: datetime | None, within: str) -> datetime | None:
    """The later of a time and the start of a range that ends now."""
    if not within:
        return moment
    start = timezone.now() - WITHIN[within][1]
    return max(moment, start) if moment else start


class JobFilterForm(ListForm):
    """All jobs."""

    status = forms.CharField(required=False, max_length=200)
    urgency = forms.ChoiceField(required=False, choices=[("", "Any"), *((word, word) for word in URGENCY_FACTOR)])
    category = forms.ChoiceField(required=False)
    creator = forms.CharField(
        label="Created by", required=False, max_length=32, widget=forms.TextInput(attrs={"list": "people"})
    )
    created_after = moment_field("Created from (UTC)")
    created_before = moment_field("Created before (UTC)")

    default_sort = Sort()
    MORE = ("created_after", "created_before", "error_type", "correlation_id")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(data, org)
        self.fields["within"].label = "Created in the last"
        self.offer("category", categories_of(org))

    def clean_status(self) -> tuple[Status, ...]:
        words = [word for word in self.cleaned_data["status"].split(",") if word]
        try:
            return parse_statuses(words)
        except ValueError as error:
            raise forms.ValidationError(f"There is no such status; there are {', '.join(Status)}.") from error

    def filters(self) -> Filters:
        asked = self.cleaned_data
        same = ("type", "queue", "urgency", "category", "creator", "correlation_id", "error_type")
        return Filters(
            statuses=asked["status"],
            created_after=later(asked["created_after"], asked["within"]),
            created_before=asked["created_before"],
            text=asked["q"],
            **{name: asked[name] for name in same},
        )


class DeadLetterForm(ListForm):
    """Failed jobs, by the time of their failure."""

    failed_after = moment_field("Failed from (UTC)")
    failed_before = moment_field("Failed before (UTC)")

    default_sort = Sort("failed")
    MORE = ("failed_after", "failed_before", "correlation_id")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(data, org)
        self.fields["within"].label = "Failed in the last"

    def filters(self) -> Filters:
        asked = self.cleaned_data
        return Filters(
            finished_after=later(asked["failed_after"], asked["within"]),
            finished_before=asked["failed_before"],
            text=asked["q"],
            **{name: asked[name] for name in ("type", "queue", "correlation_id", "error_type")},
        )


class AuditForm(NarrowingForm):
    """The audit trail."""

    actor = forms.CharField(
        label="Who", required=False, max_length=64, widget=forms.TextInput(attrs={"list": "people"})
    )
    action = forms.CharField(label="Act", required=False, max_length=64, widget=forms.TextInput(attrs={"list": "acts"}))
    target = forms.CharField(label="On what", required=False, max_length=128)
    job = forms.UUIDField(label="About job", required=False)
    after = moment_field("From (UTC)")
    before = moment_field("Before (UTC)")

    MORE = ("after", "before", "job", "correlation_id")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(data, org)
        self.fields["within"].label = "In the last"

    def filters(self) -> AuditFilters:
        asked = self.cleaned_data
        same = ("actor", "action", "target", "correlation_id", "job", "before")
        return AuditFilters(after=later(asked["after"], asked["within"]), **{name: asked[name] for name in same})
