"""The fields of an image-resize job."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs.forms.base import SubmitForm
from jobs.forms.fields import TextAreaField
from jobs.handlers.image.handler import FORMATS, MAX_SIDE
from jobs.handlers.image.sizes import FITS

SIZE = re.compile(r"(?P<name>[^:]+):\s*(?P<width>\d+)?\s*x\s*(?P<height>\d+)?")
DEFAULTS = {"fit": "contain", "format": "keep", "animation": "first", "never_enlarge": True, "strip_metadata": True}


class ImageForm(SubmitForm):
    source = forms.CharField(label=_("Image"), max_length=8_000, help_text=_("A URL, or the id of an artefact"))
    width = forms.IntegerField(label=_("Width (px)"), required=False, max_value=MAX_SIDE)
    height = forms.IntegerField(label=_("Height (px)"), required=False, max_value=MAX_SIDE)
    fit = forms.ChoiceField(label=_("Fit"), choices=[(word, word) for word in FITS], initial="contain")
    format = forms.ChoiceField(label=_("Format"), choices=[(word, word) for word in FORMATS], initial="keep")
    quality = forms.IntegerField(label=_("Quality"), required=False, help_text=_("1 to 100"))
    sizes = TextAreaField(
        rows=2, label=_("Several sizes"), help_text=_("One a line, as thumb: 200x200, or wide: 1200x")
    )
    background = forms.CharField(
        label=_("Background"), required=False, max_length=20, help_text=_("Like #ffffff, behind what is transparent")
    )
    animation = forms.ChoiceField(
        label=_("Animation"), choices=[("first", _("first frame")), ("keep", _("all frames"))], initial="first"
    )
    larger = forms.ChoiceField(label=_("May become larger"), choices=[("", _("no")), ("yes", _("yes"))], required=False)
    metadata = forms.ChoiceField(
        label=_("Camera and place"), choices=[("", _("remove")), ("keep", _("keep"))], required=False
    )

    FIELDS = {
        **{name: name for name in ("width", "height", "fit", "format", "quality", "background", "animation", "sizes")},
        "image": "source",
        "never_enlarge": "larger",
        "strip_metadata": "metadata",
    }

    def clean_sizes(self) -> list[dict[str, Any]]:
        return [size_of(line, number) for number, line in enumerate(self.cleaned_data["sizes"].split("\n"), 1) if line]

    def payload(self) -> dict[str, Any]:
        asked = self.cleaned_data
        source = asked["source"]
        chosen = {
            **{name: asked[name] for name in ("width", "height", "fit", "format", "quality", "sizes", "background")},
            "animation": asked["animation"],
            "never_enlarge": not asked["larger"],
            "strip_metadata": not asked["metadata"],
        }
        kept = {
            name: value for name, value in chosen.items() if value not in (None, "", []) and value != DEFAULTS.get(name)
        }
        return {"image": {"url" if ":" in source or "/" in source else "artefact": source}, **kept}

    @classmethod
    def initial_of(cls, payload: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: payload.get(name, DEFAULTS.get(name, "")) for name in cls.FIELDS if name in cls.base_fields}
        lines = [
            f"{one.get('name', '')}: {one.get('width', '')}x{one.get('height', '')}" for one in payload.get("sizes", [])
        ]
        return found | {
            "source": next(iter(payload.get("image", {}).values()), ""),
            "sizes": "\n".join(lines),
            "larger": "" if payload.get("never_enlarge", True) else "yes",
            "metadata": "" if payload.get("strip_metadata", True) else "keep",
        }


def size_of(line: str, number: int) -> dict[str, Any]:
    match = SIZE.fullmatch(line.strip())
    if not match:
        raise ValidationError(
            _("Line %(number)s: expected a name, a colon and a size, as thumb: 200x200.") % {"number": number}
        )
    sides = {side: int(match[side]) for side in ("width", "height") if match[side]}
    return {"name": match["name"].strip(), **sides}
