"""The filters of the job lists as a form: what is asked for in the address, checked, with the fields to ask again."""

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils import timezone

from jobs.handlers import registry
from jobs.listing import SORTS, Filters, Sort, parse_sort, parse_statuses
from jobs.models import Queue
from jobs.states import Status
from orgs.models import Membership, Org

WITHIN = {
    "15m": ("15 minutes", timedelta(minutes=15)),
    "1h": ("hour", timedelta(hours=1)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
}
PAGE_SIZES = (25, 50, 100, 200)
SUGGESTIONS = 200


def moment_field(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")
    formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S.%f"]
    return forms.DateTimeField(label=label, required=False, widget=widget, input_formats=formats)


class JobFilterForm(forms.Form):
    """The names of the fields are those of the API's parameters; `within` is a time range that moves with the clock."""

    text = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput(attrs={"type": "search"})
    )
    type = forms.ChoiceField(required=False)
    queue = forms.ChoiceField(required=False)
    urgency = forms.ChoiceField(
        required=False, choices=[("", "Any"), *((word, word) for word in ("high", "medium", "low"))]
    )
    category = forms.ChoiceField(required=False)
    creator = forms.CharField(
        label="Created by", required=False, max_length=32, widget=forms.TextInput(attrs={"list": "people"})
    )
    within = forms.ChoiceField(
        label="Created in the last",
        required=False,
        choices=[("", "Any time"), *((word, text) for word, (text, _) in WITHIN.items())],
    )
    created_after = moment_field("Created from (UTC)")
    created_before = moment_field("Created before (UTC)")
    error_type = forms.CharField(label="Error class", required=False, max_length=128)
    correlation_id = forms.CharField(label="Correlation id", required=False, max_length=128)
    status = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    sort = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    limit = forms.TypedChoiceField(
        required=False,
        coerce=int,
        choices=[(size, size) for size in PAGE_SIZES],
        empty_value=PAGE_SIZES[1],
        widget=forms.HiddenInput,
    )
    cursor = forms.CharField(required=False, max_length=1_000, widget=forms.HiddenInput)

    default_sort: ClassVar[Sort] = Sort()
    # which of the fields stand behind "More filters"
    MORE = ("created_after", "created_before", "error_type", "correlation_id")
    # which are no filters
    SHAPE = ("sort", "limit", "cursor")

    def __init__(self, data: QueryDict, org: Org) -> None:
        super().__init__(joined(data), auto_id="filter-%s")
        self.org = org
        queues = list(Queue.objects.for_org(org).order_by("name").values_list("name", flat=True)[:SUGGESTIONS])
        self.offer("type", registry.types())
        self.offer("queue", queues)
        self.offer("category", settings.JOB_CATEGORIES)

    def offer(self, name: str, words: list[str]) -> None:
        """These words and, so that an old bookmark still works, the one that is asked for."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        asked = self.data.get(name, "")[:64]
        extra = [asked] if asked and asked not in words else []
        field.choices = [("", "Any"), *((word, word) for word in [*words, *extra])]

    def clean_status(self) -> tuple[Status, ...]:
        words = [word for word in self.cleaned_data["status"].split(",") if word]
        try:
            return parse_statuses(words)
        except ValueError as error:
            raise forms.ValidationError(f"There is no such status; there are {', '.join(Status)}.") from error

    def clean_sort(self) -> Sort:
        text = self.cleaned_data["sort"]
        try:
            return parse_sort(text) if text else self.default_sort
        except ValueError as error:
            raise forms.ValidationError(f"Sorted by one of {', '.join(SORTS)}.") from error

    def filters(self) -> Filters:
        """Call it after is_valid()."""
        asked = self.cleaned_data
        after = asked["created_after"]
        if asked["within"]:
            floor = timezone.now() - WITHIN[asked["within"]][1]
            after = max(after, floor) if after else floor
        return Filters(
            statuses=asked["status"],
            created_after=after,
            **{
                name: asked[name]
                for name in (
                    "type",
                    "queue",
                    "urgency",
                    "category",
                    "creator",
                    "correlation_id",
                    "error_type",
                    "created_before",
                    "text",
                )
            },
        )

    def people(self) -> list[str]:
        """Names to suggest as creators."""
        members = Membership.objects.filter(org=self.org).order_by("user__username")
        return list(members.values_list("user__username", flat=True)[:SUGGESTIONS])

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
        return [text for name in ("status", *self.SHAPE) for text in self.errors.get(name, [])]


def joined(data: QueryDict) -> dict[str, Any]:
    """One value a name; several statuses are read as one comma-separated word."""
    return {name: ",".join(data.getlist(name)) if name == "status" else data[name].strip() for name in data}
