"""image-resize: one image in, one or several out, of other sizes or in another format."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Handler
from jobs.handlers.image.sizes import FITS
from jobs.handlers.schemas import Fault
from jobs.handlers.sources import SOURCE_SCHEMA, gathered, source_faults

FORMATS = ("jpeg", "png", "webp", "avif", "gif", "keep")
ANIMATED = {"webp", "gif", "keep"}
MAX_SIDE = 16_383
SIDE = {"type": "integer", "minimum": 1, "maximum": MAX_SIDE}
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
# Where gather() leaves the image and what run() should know of it.
IMAGE, ABOUT = "image", "about.json"


class ImageHandler(Handler):
    type = "image-resize"
    title = gettext_noop("Image")
    description = gettext_noop("Makes one or several images of one, of other sizes or in another format.")
    schema = {
        "type": "object",
        "properties": {
            "image": SOURCE_SCHEMA,
            "width": {**SIDE, "description": "In pixels; one of width and height is enough."},
            "height": SIDE,
            "fit": {
                "enum": list(FITS),
                "default": "contain",
                "description": "contain: all of it within the box; cover: the box is filled, the edges are cut off; "
                "stretch: the box, whatever becomes of its shape.",
            },
            "never_enlarge": {"type": "boolean", "default": True},
            "sizes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,29}$"},
                        "width": SIDE,
                        "height": SIDE,
                    },
                    "required": ["name"],
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": 20,
                "description": "Several outputs, instead of width and height.",
            },
            "format": {"enum": list(FORMATS), "default": "keep"},
            "quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 80},
            "background": {
                "type": "string",
                "pattern": "^#[0-9a-fA-F]{6}$",
                "description": "Put behind what is transparent.",
            },
            "strip_metadata": {"type": "boolean", "default": True},
            "animation": {
                "enum": ["first", "keep"],
                "default": "first",
                "description": "Of an animated GIF or WebP: its first frame, or all.",
            },
        },
        "required": ["image"],
        "additionalProperties": False,
    }
    # A process that decodes the largest image allowed needs less than half of it.
    memory_max_bytes = 512_000_000

    @property
    def example(self) -> Mapping[str, Any]:  # type: ignore[override]
        """A picture that is there wherever this runs."""
        url = f"{settings.PUBLIC_URL}/static/sample.png"
        return {"image": {"url": url}, "width": 200, "height": 200, "fit": "cover", "format": "webp"}

    def is_confined(self, payload: Mapping[str, Any]) -> bool:
        return True

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        found = list(source_faults("/image", payload["image"], org_settings))
        sizes = payload.get("sizes", [])
        found += [
            (f"/{name}", "Give either sizes or this.") for name in ("width", "height") if sizes and name in payload
        ]
        found += name_faults([one["name"] for one in sizes])
        for number, one in enumerate(sizes):
            if "width" not in one and "height" not in one:
                found.append((f"/sizes/{number}", "Give width, height or both."))
        if payload.get("animation") == "keep" and payload.get("format", "keep") not in ANIMATED:
            found.append(("/animation", "Only gif and webp move."))
        return found

    def preload(self) -> None:
        from PIL import Image

        # Pillow finds its formats when it first needs one, which would be in each attempt
        Image.init()
        import jobs.handlers.image.write  # noqa: F401

    def gather(self, context: Context) -> None:
        found = gathered(context, context.payload["image"], IMAGE, max_bytes=settings.IMAGE_MAX_BYTES)
        context.path(ABOUT).write_text(json.dumps({"name": found.name}), encoding="utf-8")

    def run(self, context: Context) -> Answer:
        from jobs.handlers.image.write import worked

        about = json.loads(context.path(ABOUT).read_text(encoding="utf-8"))
        return Done(worked(context, context.path(IMAGE), stem_of(about["name"])))


def name_faults(names: Sequence[str]) -> list[Fault]:
    """On some systems files differ by more than their case only."""
    lower = [name.lower() for name in names]
    return [
        (f"/sizes/{number}/name", "Another size has this name.")
        for number, name in enumerate(lower)
        if name in lower[:number]
    ]


def stem_of(name: str) -> str:
    """What the outputs are called after: letters and digits of the source's own name."""
    stem = NOT_IN_A_NAME.sub("-", name.rpartition(".")[0] or name).strip("-._")
    return stem[:60].strip("-._") or "image"
