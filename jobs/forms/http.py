"""The fields of an http job."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import TextAreaField, pairs
from jobs.handlers.http_payload import METHODS
from jobs.strict_json import NotStrict, loads


class HttpForm(SubmitForm):
    url = forms.CharField(label=_("URL"), max_length=8_000, widget=forms.TextInput(attrs={"inputmode": "url"}))
    method = forms.ChoiceField(label=_("Method"), choices=[(word, word) for word in METHODS], initial="GET")
    headers = TextAreaField(rows=2, label=_("Headers"), help_text=_("One a line, as Name: value"))
    body_kind = forms.ChoiceField(
        label=_("Body"),
        required=False,
        choices=[("", _("None")), ("json", "JSON"), ("body", _("Text")), ("body_artefact", _("A file"))],
    )
    body = TextAreaField(
        rows=4, label=_("Text of the body"), help_text=_("Or the id of a file, from the page of files")
    )
    expect_status = forms.CharField(
        label=_("Done at status"), required=False, max_length=200, initial="2xx", help_text=_("Like 2xx, 404")
    )
    http_timeout = forms.FloatField(label=_("Exchange timeout (s)"), required=False)

    save_as = forms.CharField(
        label=_("Keep the response as"),
        required=False,
        max_length=200,
        help_text=_("A file's name; nothing: in the result"),
    )

    FIELDS = {
        **{name: name for name in ("url", "method", "headers", "body", "expect_status", "save_as")},
        "json": "body",
        "form": "body",
        "body_artefact": "body",
        "timeout_seconds": "http_timeout",
    }

    def clean_headers(self) -> dict[str, str]:
        return pairs(self.cleaned_data["headers"], ":")

    def clean_expect_status(self) -> list[int | str]:
        words = self.cleaned_data["expect_status"].replace(",", " ").split()
        return [int(word) if word.isascii() and word.isdigit() else word for word in words]

    def clean(self) -> None:
        kind, text = self.cleaned_data.get("body_kind"), self.cleaned_data.get("body", "")
        if kind == "json":
            try:
                self.cleaned_data["body"] = loads(text)
            except NotStrict as error:
                self.add_error("body", _("This is no JSON: %(error)s.") % {"error": error})
        elif kind == "body_artefact":
            self.cleaned_data["body"] = text.strip()
        elif text and not kind:
            self.add_error("body_kind", _("There is a body: say what it is, or empty it."))

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        found: dict[str, Any] = {"method": asked["method"], "url": asked["url"]}
        if asked["body_kind"]:
            found[asked["body_kind"]] = asked["body"]
        optional = {"headers": asked["headers"], "timeout_seconds": asked["http_timeout"]}
        optional["save_as"] = asked["save_as"]
        if asked["expect_status"] != ["2xx"]:
            optional["expect_status"] = asked["expect_status"]
        return found | {name: value for name, value in optional.items() if value}

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        kind = next((name for name in ("json", "body", "body_artefact") if name in payload), "")
        body = payload.get(kind, "")
        return {
            "url": payload.get("url", ""),
            "method": payload.get("method", "GET"),
            "headers": "\n".join(f"{name}: {value}" for name, value in payload.get("headers", {}).items()),
            "body_kind": kind,
            "body": json.dumps(body, indent=2, ensure_ascii=False) if kind == "json" else body,
            "expect_status": ", ".join(str(word) for word in payload.get("expect_status", ["2xx"])),
            "http_timeout": payload.get("timeout_seconds"),
            "save_as": payload.get("save_as", ""),
        }
