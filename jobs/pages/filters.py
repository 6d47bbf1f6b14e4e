"""The filters of the lists of jobs as forms: what the address asks for, checked, with the fields to ask again."""

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.categories import categories_of
from jobs.forms.fields import moment_field
from jobs.handlers import registry
from jobs.listing import SORTS, Filters, Sort, parse_sort, parse_statuses
from jobs.pages.head import Head, queues_of
from jobs.ranking import URGENCY_FACTOR
from jobs.search.language import NotUnderstood, parse
from jobs.states import Status
from orgs.models import Membership, Org

# Time ranges that move with the clock, so that a bookmark stays true.
WITHIN = {
    "15m": (_("15 minutes"), timedelta(minutes=15)),
    "1h": (_("hour"), timedelta(hours=1)),
    "24h": (_("24 hours"), timedelta(hours=24)),
    "7d": (_("7 days"), timedelta(days=7)),
    "30d": (_("30 days"), timedelta(days=30)),
}
PAGE_SIZES = (25, 50, 100, 200)
SUGGESTIONS = 200
LARGEST_INT = 2**31 - 1
REPLAYED = {"": None, "true": True, "false": False}


class NarrowingForm(forms.Form):
    """What every list can be asked."""

    within = forms.ChoiceField(
        required=False, choices=[("", _("Any time")), *((word, text) for word, (text, _length) in WITHIN.items())]
    )
    correlation_id = forms.CharField(label=_("Correlation id"), required=False, max_length=128)
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


def suggested(label: Any, longest: int, listed: str = "") -> forms.CharField:
    """A text that is completed from what there is."""
    attrs = {"list": listed, "autocomplete": "off"} if listed else {}
    return forms.CharField(label=label, required=False, max_length=longest, widget=forms.TextInput(attrs=attrs))


def number(label: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=0, max_value=LARGEST_INT)


def offered(form: NarrowingForm, name: str, words: list[str]) -> None:
    """These words and, so that an old bookmark still works, the one that is asked for."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    asked = form.data.get(name, "")[:64]
    # what no column can hold the database cannot be asked for
    extra = [asked] if asked and asked not in words and "\0" not in asked else []
    field.choices = [("", _("Any")), *((word, word) for word in [*words, *extra])]


class ListForm(NarrowingForm):
    """What every list of jobs can be asked."""

    q = forms.CharField(
        label=_("Search"), required=False, max_length=200, widget=forms.TextInput(attrs={"type": "search"})
    )
    type = forms.ChoiceField(label=_("Type"), required=False)
    queue = forms.ChoiceField(label=_("Queue"), required=False)
    error_type = suggested(_("Error class"), 128, "errors")
    name = suggested(_("Name"), 64, "names")
    tag = suggested(_("Tag"), 40, "tags")
    worker = suggested(_("Worker"), 128, "workers")
    fingerprint = forms.RegexField("^[0-9a-f]{16}$", label=_("Error fingerprint"), required=False)
    attempts_min = number(_("Attempts from"))
    attempts_max = number(_("Attempts up to"))
    runtime_min_ms = number(_("Took from (ms)"))
    runtime_max_ms = number(_("Took up to (ms)"))
    replayed = forms.ChoiceField(
        label=_("Replayed"),
        required=False,
        choices=[("", _("Either")), ("true", _("Yes")), ("false", _("No"))],
    )
    sort = forms.CharField(required=False, max_length=40)
    # Of a view that is saved, or "none": whoever has one that is shown first does not want it now.
    view = forms.RegexField(r"^(none|\d{1,18})$", required=False)

    BESIDE: ClassVar[tuple[str, ...]] = (
        *("error_type", "name", "tag", "worker", "fingerprint", "attempts_min", "attempts_max", "runtime_min_ms"),
        *("runtime_max_ms", "replayed"),
    )
    # As addresses have them.
    field_order = ("q", "type", "queue", "within", *BESIDE, "correlation_id", "sort", "limit", "cursor")
    default_sort: ClassVar[Sort]
    HIDDEN = ("status", "sort", "limit", "cursor", "view")
    SHAPE = ("sort", "limit", "cursor", "view")

    def __init__(self, data: QueryDict, org: Org, head: Head | None = None) -> None:
        super().__init__(data, org)
        self.head = head
        offered(self, "type", registry.types())
        offered(self, "queue", head.queues if head else queues_of(org))

    def beside(self) -> list[forms.BoundField]:
        """What stands behind "More filters"."""
        return [self[name] for name in self.MORE]

    def active(self) -> list[tuple[str, str, str]]:
        """What is set, as name, label and value."""
        return [(name, str(self[name].label), self.said(name, value)) for name, value in self.narrowing().items()]

    def said(self, name: str, value: str) -> str:
        """A value as its choice is called."""
        choices = getattr(self.fields[name], "choices", ())
        return str(next((text for word, text in choices if str(word) == value), value))

    def people(self) -> list[str]:
        return self.head.people if self.head else super().people()

    def clean_q(self) -> str:
        text = str(self.cleaned_data["q"])
        try:
            parse(text)
        except NotUnderstood as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def same(self, *more: str) -> dict[str, Any]:
        """The filters that are called alike here and there."""
        names = ("type", "queue", "correlation_id", *self.BESIDE, *more)
        return {name: self.cleaned_data[name] for name in names} | {
            "text": self.cleaned_data["q"],
            "replayed": REPLAYED[self.cleaned_data["replayed"]],
        }

    def clean_sort(self) -> Sort:
        text = self.cleaned_data["sort"]
        try:
            return parse_sort(text) if text else self.default_sort
        except ValueError as error:
            raise forms.ValidationError(_("Sorted by one of %(words)s.") % {"words": ", ".join(SORTS)}) from error

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

    status = forms.CharField(label=_("Status"), required=False, max_length=200)
    urgency = forms.ChoiceField(
        label=_("Urgency"), required=False, choices=[("", _("Any")), *((word, word) for word in URGENCY_FACTOR)]
    )
    category = forms.ChoiceField(label=_("Category"), required=False)
    creator = forms.CharField(
        label=_("Created by"), required=False, max_length=32, widget=forms.TextInput(attrs={"list": "people"})
    )
    created_after = moment_field(_("Created from (UTC)"))
    created_before = moment_field(_("Created before (UTC)"))

    finished_after = moment_field(_("Ended from (UTC)"))
    finished_before = moment_field(_("Ended before (UTC)"))
    batch = forms.UUIDField(label=_("Batch"), required=False)

    default_sort = Sort()
    MORE = (
        *(
            "name",
            "tag",
            "worker",
            "error_type",
            "created_after",
            "created_before",
            "finished_after",
            "finished_before",
        ),
        *("attempts_min", "attempts_max", "runtime_min_ms", "runtime_max_ms", "replayed", "fingerprint"),
        *("correlation_id", "batch"),
    )

    def __init__(self, data: QueryDict, org: Org, head: Head | None = None) -> None:
        super().__init__(data, org, head)
        self.fields["within"].label = _("Created in the last")
        offered(self, "category", categories_of(org))

    def clean_status(self) -> tuple[Status, ...]:
        words = [word for word in self.cleaned_data["status"].split(",") if word]
        try:
            return parse_statuses(words)
        except ValueError as error:
            raise forms.ValidationError(
                _("There is no such status; there are %(words)s.") % {"words": ", ".join(Status)}
            ) from error

    def filters(self) -> Filters:
        asked = self.cleaned_data
        return Filters(
            statuses=asked["status"],
            created_after=later(asked["created_after"], asked["within"]),
            created_before=asked["created_before"],
            finished_after=asked["finished_after"],
            finished_before=asked["finished_before"],
            batch=asked["batch"],
            **self.same("urgency", "category", "creator"),
        )


class DeadLetterForm(ListForm):
    """Failed jobs, by the time of their failure."""

    failed_after = moment_field(_("Failed from (UTC)"))
    failed_before = moment_field(_("Failed before (UTC)"))

    default_sort = Sort("failed")
    MORE = (
        *("name", "tag", "worker", "failed_after", "failed_before", "attempts_min", "attempts_max", "runtime_min_ms"),
        *("runtime_max_ms", "replayed", "fingerprint", "correlation_id"),
    )

    def __init__(self, data: QueryDict, org: Org, head: Head | None = None) -> None:
        super().__init__(data, org, head)
        self.fields["within"].label = _("Failed in the last")

    def filters(self) -> Filters:
        asked = self.cleaned_data
        return Filters(
            finished_after=later(asked["failed_after"], asked["within"]),
            finished_before=asked["failed_before"],
            **self.same(),
        )
