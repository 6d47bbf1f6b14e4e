"""Fields that the pages about jobs need and Django has not."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.strict_json import NotStrict, loads

MOMENT_FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S.%f"]


def moment_field(label: Any, **more: Any) -> forms.DateTimeField:
    """A time in UTC, for the browser's own picker."""
    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format=MOMENT_FORMATS[0])
    return forms.DateTimeField(label=label, required=False, widget=widget, input_formats=MOMENT_FORMATS, **more)


CODE = {"class": "mono", "spellcheck": "false", "autocapitalize": "off"}


class TextAreaField(forms.CharField):
    """Text as it was typed: browsers send line ends as CR LF, and Django would cut white space off."""

    def __init__(self, *, rows: int, label: Any, mono: bool = True, **more: Any) -> None:
        widget = forms.Textarea(attrs={"rows": rows, **(CODE if mono else {})})
        super().__init__(required=False, strip=False, label=label, widget=widget, **more)

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class JsonField(TextAreaField):
    """A JSON object; bigger numbers and order stay as they are."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            found = loads(text or "{}")
        except NotStrict as error:
            raise ValidationError(_("This is no JSON: %(error)s.") % {"error": error}) from error
        if not isinstance(found, dict):
            raise ValidationError(_("A JSON object is needed, in braces."))
        return found


def pairs(text: str, separator: str) -> dict[str, str]:
    """Lines of name and value; raises ValidationError naming the line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        name, middle, value = line.partition(separator)
        if not middle or not name.strip():
            raise ValidationError(
                _("Line %(number)s: expected a name, then %(separator)r, then a value.")
                % {"number": number, "separator": separator}
            )
        if name.strip() in found:
            raise ValidationError(
                _("Line %(number)s: %(name)s is there already.") % {"number": number, "name": name.strip()}
            )
        found[name.strip()] = value.strip() if separator == ":" else value
    return found
