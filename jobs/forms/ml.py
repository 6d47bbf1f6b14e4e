"""The fields of an ml job."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from jobs.forms.base import SubmitForm
from jobs.forms.fields import CODE, JsonField, TextAreaField
from jobs.handlers.ml.schema import DEFAULT_KIND, FORMATS, KINDS
from jobs.strict_json import NotStrict, loads

TASKS = [("train", "Train a model"), ("evaluate", "Evaluate one"), ("predict", "Predict with one")]
SOURCES = [("artefact", "An artefact, by its id"), ("url", "A URL"), ("rows", "Rows, as JSON")]
# Fields of the payload that are fields here by the same name, and whose empty value means the default.
SAME = ("target", "problem", "cross_validation", "test_share", "seed", "model_artefact")


def names(text: str) -> list[str]:
    """One a line."""
    return [line.strip() for line in text.split("\n") if line.strip()]


class MlForm(SubmitForm):
    task = forms.ChoiceField(choices=TASKS)
    source = forms.ChoiceField(label="Table from", choices=SOURCES)
    table = TextAreaField(rows=3, label="Artefact, URL or rows", help_text='Rows like [{"a": 1}, {"a": 2}]')
    format = forms.ChoiceField(required=False, choices=[("", "By its name"), *((one, one) for one in FORMATS)])
    model_artefact = forms.CharField(
        label="Model (artefact)", required=False, widget=forms.TextInput(attrs=CODE), help_text="To evaluate or predict"
    )
    target = forms.CharField(label="Target column", required=False, max_length=200, help_text="To train")
    features = TextAreaField(rows=2, label="Feature columns", help_text="One a line; all others when empty", mono=False)
    categorical = TextAreaField(rows=2, label="Columns of names", help_text="Whose numbers are names", mono=False)
    model = forms.ChoiceField(choices=[(name, name.replace("_", " ")) for name in KINDS], initial=DEFAULT_KIND)
    problem = forms.ChoiceField(
        required=False, choices=[("", "By the target"), *((one, one) for one in ("classification", "regression"))]
    )
    parameters = JsonField(rows=2, label="Parameters, as JSON")
    cross_validation = forms.IntegerField(label="Folds", required=False)
    test_share = forms.FloatField(label="Test share", required=False)
    seed = forms.IntegerField(required=False)
    metrics = forms.CharField(required=False, max_length=200, help_text="Like accuracy, f1_macro; all when empty")
    output = JsonField(rows=2, label="Output, as JSON", help_text='Like {"name": "out.csv", "probabilities": true}')

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
            raise ValidationError("This field is required.")
        if self.cleaned_data.get("source") != "rows":
            return text
        try:
            return loads(text)
        except NotStrict as error:
            raise ValidationError(f"This is no JSON: {error}.") from error

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
        source = next((name for name, _ in SOURCES if name in data), "artefact")
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
