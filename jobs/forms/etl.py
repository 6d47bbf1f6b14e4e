"""The fields of an etl job."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import TextAreaField
from jobs.strict_json import NotStrict, loads
from orgs.models import Org

SOURCES = [
    ("rows", _("Rows, as JSON")),
    ("artefact", _("File")),
    ("url", _("Web address")),
    ("connection", _("Database")),
]
SINKS = [("artefact", _("File")), ("connection", _("Database"))]


class JsonListField(TextAreaField):
    """A JSON list; big numbers and order stay as they are."""

    def clean(self, value: Any) -> Any:
        return json_list(super().clean(value))


def json_list(text: str) -> list[Any]:
    try:
        found = loads(text.strip() or "[]")
    except NotStrict as error:
        raise ValidationError(_("This is no JSON: %(error)s.") % {"error": error}) from error
    if not isinstance(found, list):
        raise ValidationError(_("A JSON list is needed, in square brackets."))
    return found


class EtlForm(SubmitForm):
    source_kind = forms.ChoiceField(label=_("Read from"), choices=SOURCES, initial="rows")
    source_connection = forms.ChoiceField(label=_("Database to read"), required=False)
    source = TextAreaField(rows=5, label=_("Source"), help_text=_("The rows; or a file's id, an address, a SELECT."))
    format = forms.ChoiceField(
        label=_("Format"),
        required=False,
        choices=[("", _("By its name")), ("csv", "CSV"), ("json", _("JSON list")), ("ndjson", "NDJSON")],
    )
    delimiter = forms.ChoiceField(
        label=_("Between cells"), required=False, choices=[("", ","), (";", ";"), ("\t", _("Tab")), ("|", "|")]
    )
    steps = JsonListField(rows=8, label=_("Steps, as JSON"), help_text=_('Like [{"filter": "amount > 10"}]'))
    sink_kind = forms.ChoiceField(label=_("Write to"), choices=SINKS, initial="artefact")
    sink = forms.CharField(
        label=_("File or table"),
        max_length=130,
        initial="out.csv",
        help_text=_("A name in .csv, .json, .ndjson or .parquet"),
    )
    sink_connection = forms.ChoiceField(label=_("Database to write"), required=False)
    mode = forms.ChoiceField(
        label=_("Mode"),
        required=False,
        choices=[("", _("Add")), ("replace", _("Replace all")), ("upsert", _("Update by key"))],
    )
    key = forms.CharField(label=_("Key"), required=False, max_length=500, help_text=_("Columns, by commas"))
    on_bad_row = forms.ChoiceField(
        label=_("Rows that do not fit"),
        choices=[("fail", _("Fail")), ("drop", _("Drop and count")), ("keep", _("Keep in a file"))],
        initial="fail",
    )

    MORE = ("format", "delimiter", "source_connection", "sink_connection", "mode", "key")
    FIELDS = {"source": "source", "steps": "steps", "sink": "sink", "on_bad_row": "on_bad_row"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [("", _("None")), *((name, name) for name in connections(self.org))]
        self.choice_field("source_connection").choices = names
        self.choice_field("sink_connection").choices = names

    def more_open(self) -> bool:
        return any(self[name].value() or self[name].errors for name in self.MORE)

    def clean(self) -> None:
        if self.cleaned_data.get("source_kind") == "rows":
            try:
                self.cleaned_data["source"] = json_list(self.cleaned_data.get("source", ""))
            except ValidationError as error:
                self.add_error("source", error)

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        kind, text = asked["source_kind"], asked["source"]
        source = {kind: text if kind == "rows" else text.strip()}
        if kind == "connection":
            source = {"connection": asked["source_connection"], "select": text}
        source |= {name: asked[name] for name in ("format", "delimiter") if asked[name]}
        found = {"source": source, "steps": asked["steps"], "sink": self.sink_payload()}
        return found | ({"on_bad_row": asked["on_bad_row"]} if asked["on_bad_row"] != "fail" else {})

    def sink_payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if asked["sink_kind"] == "artefact":
            return {"artefact": asked["sink"]}
        key = [word.strip() for word in asked["key"].split(",") if word.strip()]
        optional = {"mode": asked["mode"], "key": key}
        sink = {"connection": asked["sink_connection"], "table": asked["sink"]}
        return sink | {name: value for name, value in optional.items() if value}

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        source, sink = payload.get("source", {}), payload.get("sink", {})
        kind = next((name for name, _label in SOURCES if name in source), "rows")
        text = source.get("select" if kind == "connection" else kind, "")
        return {
            "source_kind": kind,
            "source_connection": source.get("connection", ""),
            "source": shown(text) if kind == "rows" else text,
            "format": source.get("format", ""),
            "delimiter": source.get("delimiter", ""),
            "steps": shown(payload.get("steps", [])),
            "sink_kind": "connection" if "connection" in sink else "artefact",
            "sink": sink.get("artefact") or sink.get("table", ""),
            "sink_connection": sink.get("connection", ""),
            "mode": sink.get("mode", ""),
            "key": ", ".join(sink.get("key", [])),
            "on_bad_row": payload.get("on_bad_row", "fail"),
        }


def shown(items: Any) -> str:
    """A JSON list with an item a line."""
    if not isinstance(items, list) or not items:
        return ""
    return "[\n" + ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in items) + "\n]"


def connections(org: Org) -> list[str]:
    """The databases that this organisation may use here."""
    return [name for name in org.job_settings.get("connections") or [] if name in settings.CONNECTIONS]
