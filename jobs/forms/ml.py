"""The fields of an ml job."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import CODE, JsonField, TextAreaField
from jobs.handlers.ml.schema import DEFAULT_KIND, FORMATS, KINDS
from jobs.strict_json import NotStrict, loads

TASKS = [("train", _("Train a model")), ("evaluate", _("Evaluate one")), ("predict", _("Predict with one"))]
SOURCES = [("artefact", _("An artefact, by its id")), ("url", _("A URL")), ("rows", _("Rows, as JSON"))]
# Fields of the payload that are fields here by the same name, and whose empty value means the default.
SAME = ("target", "problem", "cross_validation", "test_share", "seed", "model_artefact")


def names(text: str) -> list[str]:
    """One a line."""
    return [line.strip() for line in text.split("\n") if line.strip()]


class MlForm(SubmitForm):
    task = forms.ChoiceField(label=_("Task"), choices=TASKS)
    source = forms.ChoiceField(label=_("Table from"), choices=SOURCES)
    table = TextAreaField(rows=3, label=_("Artefact, URL or rows"), help_text=_('Rows like [{"a": 1}, {"a": 2}]'))
    format = forms.ChoiceField(
        label=_("Format"), required=False, choices=[("", _("By its name")), *((one, one) for one in FORMATS)]
    )
    model_artefact = forms.CharField(
        label=_("Model (artefact)"),
        required=False,
        widget=forms.TextInput(attrs=CODE),
        help_text=_("To evaluate or predict"),
    )
    target = forms.CharField(label=_("Target column"), required=False, max_length=200, help_text=_("To train"))
    features = TextAreaField(
        rows=2, label=_("Feature columns"), help_text=_("One a line; all others when empty"), mono=False
    )
    categorical = TextAreaField(rows=2, label=_("Columns of names"), help_text=_("Whose numbers are names"), mono=False)
    model = forms.ChoiceField(
        label=_("Model"), choices=[(name, name.replace("_", " ")) for name in KINDS], initial=DEFAULT_KIND
    )
    problem = forms.ChoiceField(
        label=_("Problem"),
        required=False,
        choices=[("", _("By the target")), *((one, one) for one in ("classification", "regression"))],
    )
    parameters = JsonField(rows=2, label=_("Parameters, as JSON"))
    cross_validation = forms.IntegerField(label=_("Folds"), required=False)
    test_share = forms.FloatField(label=_("Test share"), required=False)
    seed = forms.IntegerField(label=_("Seed"), required=False)
    metrics = forms.CharField(
        label=_("Metrics"), required=False, max_length=200, help_text=_("Like accuracy, f1_macro; all when empty")
    )
    output = JsonField(
        rows=2, label=_("Output, as JSON"), help_text=_('Like {"name": "out.csv", "probabilities": true}')
    )

    FIELDS = {
        **{name: name for name in (*SAME, "task", "features", "categorical")},
        **{name: name for name in ("model", "parameters", "metrics", "output")},
        "data": "table",
    }

    def clean_features(self) -> list[str]:
        return names(self.cleaned_data["features"])

    def clean_categorical(self) -> list[str]:
        return names(self.cleaned_data["categorical"])

    def clean_metrics(self) -> list[str]:
        words: str = self.cleaned_data["metrics"]
        return words.replace(",", " ").split()

    def clean_table(self) -> Any:
        text: str = self.cleaned_data["table"].strip()
        if not text:
            raise ValidationError(_("This field is required."))
        if self.cleaned_data.get("source") != "rows":
            return text
        try:
            return loads(text)
        except NotStrict as error:
            raise ValidationError(_("This is no JSON: %(error)s.") % {"error": error}) from error

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        data = {asked["source"]: asked["table"]} | ({"format": asked["format"]} if asked["format"] else {})
        chosen = {name: asked[name] for name in (*SAME, "features", "categorical", "metrics", "parameters", "output")}
        if asked["task"] == "train":
            chosen["model"] = asked["model"]
        return {
            "task": asked["task"],
            "data": data,
            **{name: value for name, value in chosen.items() if value not in (None, "", [], {})},
        }

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        data: Mapping[str, Any] = payload.get("data", {})
        source = next((name for name, _label in SOURCES if name in data), "artefact")
        value = data.get(source, "")
        return {
            **{name: payload.get(name) for name in SAME},
            "task": payload.get("task", "train"),
            "source": source,
            "table": json.dumps(value, ensure_ascii=False) if source == "rows" else value,
            "format": data.get("format", ""),
            "features": "\n".join(payload.get("features", [])),
            "categorical": "\n".join(payload.get("categorical", [])),
            "model": payload.get("model", DEFAULT_KIND),
            "parameters": in_braces(payload.get("parameters")),
            "metrics": ", ".join(payload.get("metrics", [])),
            "output": in_braces(payload.get("output")),
        }


def in_braces(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""
