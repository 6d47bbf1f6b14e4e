"""The fields of a data-export job: which rows, which of them, and what file."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.categories import categories_of
from jobs.forms.base import SubmitForm
from jobs.forms.fields import JsonField, TextAreaField, moment_field
from jobs.handlers import registry
from jobs.handlers.data_export import ALL_ORDERS
from jobs.handlers.datasets import DATASETS, moment
from jobs.ranking import URGENCY_FACTOR

TITLES = {
    "jobs": _("Jobs"),
    "dead_letters": _("Dead letters"),
    "attempts": _("Attempts that ended"),
    "transitions": _("Moves between statuses"),
    "log_lines": _("Log lines"),
    "audit": _("Audit trail (org admins)"),
    "schedules": _("Schedules"),
    "depth_samples": _("Queue depth over time"),
}
# Field by filter; filters without a field are written as JSON.
FILTER_FIELDS = {
    "status": "of_status",
    "type": "of_type",
    "queue": "of_queue",
    "urgency": "of_urgency",
    "category": "of_category",
    "creator": "creator",
    "q": "q",
    "created_after": "created_after",
    "created_before": "created_before",
}
FILES: Mapping[str, tuple[Any, dict[str, Any]]] = {
    "csv": ("CSV", {"format": "csv"}),
    "csv-bom": (_("CSV for Excel (with a byte order mark)"), {"format": "csv", "bom": True}),
    "json": ("JSON", {"format": "json"}),
    "ndjson": (_("Lines of JSON"), {"format": "ndjson"}),
}


class DataExportForm(SubmitForm):
    dataset = forms.ChoiceField(label=_("Rows"), choices=[(name, TITLES[name]) for name in DATASETS])
    file = forms.ChoiceField(label=_("File"), choices=[(word, label) for word, (label, _given) in FILES.items()])
    compress = forms.ChoiceField(label=_("Compressed"), required=False, choices=[("", _("No")), ("gzip", "gzip")])
    columns = TextAreaField(
        rows=2, label=_("Columns"), help_text=_("Names with commas between; empty: all but the widest.")
    )
    of_status = forms.CharField(
        label=_("Status"), required=False, max_length=200, help_text=_("Like done, failed; empty: any.")
    )
    of_type = forms.ChoiceField(label=_("Type"), required=False)
    of_queue = forms.CharField(
        label=_("Queue"), required=False, max_length=40, widget=forms.TextInput(attrs={"list": "queues"})
    )
    of_urgency = forms.ChoiceField(
        label=_("Urgency"), required=False, choices=[("", _("Any")), *((word, word) for word in URGENCY_FACTOR)]
    )
    of_category = forms.ChoiceField(label=_("Category"), required=False)
    creator = forms.CharField(label=_("Created by"), required=False, max_length=32)
    q = forms.CharField(label=_("Search"), required=False, max_length=200, strip=False)
    created_after = moment_field(_("Created from (UTC)"))
    created_before = moment_field(_("Created before (UTC)"))
    more = JsonField(rows=2, label=_("More filters, as JSON"))
    order = forms.ChoiceField(
        label=_("Order"), required=False, choices=[("", _("As usual")), *((word, word) for word in ALL_ORDERS)]
    )
    limit = forms.IntegerField(label=_("Rows at most"), required=False)

    FIELDS = {"dataset": "dataset", "format": "file", "bom": "file", "gzip": "compress"} | {
        name: name for name in ("columns", "order", "limit")
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("of_type", registry.types())
        self.offer("of_category", categories_of(self.org))

    def offer(self, name: str, known: Sequence[str]) -> None:
        """These words, and the one it begins with: were that left out, more would be exported than was asked for."""
        first = str(self.initial.get(name) or "")
        extra = [first] if first and first not in known else []
        self.choice_field(name).choices = [("", _("Any")), *((word, word) for word in [*known, *extra])]

    def more_open(self) -> bool:
        names = ("more", "order", "limit", "columns")
        return any(self.errors.get(name) or self[name].value() not in (None, "", "{}") for name in names)

    def clean_more(self) -> dict[str, Any]:
        more: dict[str, Any] = self.cleaned_data["more"]
        if twice := sorted(more.keys() & FILTER_FIELDS.keys()):
            raise ValidationError(_("There is a field for %(names)s.") % {"names": ", ".join(twice)})
        return more

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        found: dict[str, Any] = {"dataset": asked["dataset"], **FILES[asked["file"]][1]}
        optional = {
            "gzip": bool(asked["compress"]),
            "columns": words(asked["columns"]),
            "filter": self.filters(),
            "order": asked["order"],
            "limit": asked["limit"],
        }
        return found | {name: value for name, value in optional.items() if value or (name == "limit" and value == 0)}

    def filters(self) -> dict[str, Any]:
        asked = {name: self.cleaned_data[field] for name, field in FILTER_FIELDS.items()}
        asked["status"] = words(asked["status"])
        found = {name: written(value) if isinstance(value, datetime) else value for name, value in asked.items()}
        more: dict[str, Any] = self.cleaned_data["more"]
        return {name: value for name, value in found.items() if value} | more

    def refuse_payload(self, pointer: str, sentence: str) -> None:
        if not pointer.startswith("/filter/"):
            super().refuse_payload(pointer, sentence)
            return
        name, _, rest = pointer.removeprefix("/filter/").partition("/")
        field = FILTER_FIELDS.get(name, "more")
        place = rest if field != "more" else f"{name}/{rest}".strip("/")
        self.add_error(field, f"{place}: {sentence}" if place else sentence)

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        given = dict(payload.get("filter", {}))
        chosen = {field: given.pop(name, "") for name, field in FILTER_FIELDS.items()}
        chosen["of_status"] = ", ".join(chosen["of_status"])
        for name in ("created_after", "created_before"):
            chosen[name] = shown(chosen[name])
        bom = "-bom" if payload.get("bom") else ""
        return {
            **chosen,
            "dataset": payload.get("dataset", "jobs"),
            "file": f"{payload.get('format', 'csv')}{bom}",
            "compress": "gzip" if payload.get("gzip") else "",
            "columns": ", ".join(payload.get("columns", [])),
            "more": json.dumps(given, ensure_ascii=False) if given else "",
            "order": payload.get("order", ""),
            "limit": payload.get("limit"),
        }


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def shown(text: str) -> str:
    """As the browser's picker has it."""
    try:
        return moment(text).replace(tzinfo=None).isoformat()
    except ValueError:
        return ""
