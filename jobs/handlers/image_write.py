"""Makes the images that a job asks for of the one it read. For confined processes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from PIL import Image, ImageColor, features

from jobs.handlers.base import Context
from jobs.handlers.image_read import (
    ImageRefused,
    durations_ms,
    exif_of,
    format_of,
    opened,
    picture,
    refusing,
    seek,
)
from jobs.handlers.image_sizes import Plan, planned

# What is kept as it came becomes, where it is not a format for the web.
KEPT_AS = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "png", "TIFF": "png"}
ENDINGS = {"jpeg": "jpg"}
WITHOUT_ALPHA = {"jpeg"}
ANIMATED = {"gif", "webp"}
DEFAULT_QUALITY = 80
# Its encoder takes some thirty bytes for each, and dies where it gets none.
MAX_PIXELS = {"avif": 10_000_000}


class Source(NamedTuple):
    """The opened image, and what the job says of all its outputs."""

    image: Image.Image
    # What its outputs are called after.
    stem: str
    format: str
    # Of its frames, when all are kept.
    durations_ms: list[int]
    # Decoded once where there is one frame.
    still: Image.Image | None
    exif: bytes
    size: tuple[int, int]

    def frames(self) -> Iterator[Image.Image]:
        if self.still is not None:
            yield self.still
            return
        for number in range(len(self.durations_ms)):
            seek(self.image, number)
            yield picture(self.image, one_of_many=True)


def worked(context: Context, path: Path, stem: str) -> dict[str, Any]:
    """The job's result; its images are kept on the way. Raises ImageRefused, Stopped."""
    payload = context.payload
    context.progress(0.05, "reading")
    with opened(path) as image:
        source = read(image, stem, payload)
        wanted = payload.get("sizes") or [{"name": "", **payload}]
        outputs = []
        for number, one in enumerate(wanted):
            context.check_stopped()
            context.progress(0.2 + 0.8 * number / len(wanted), f"making {one['name'] or 'the image'}")
            outputs.append(made(context, source, one))
        return {
            "source": {
                "format": format_of(image).lower(),
                "width": source.size[0],
                "height": source.size[1],
                "bytes": path.stat().st_size,
                "frames": max(len(source.durations_ms), 1),
            },
            "outputs": outputs,
        }


def read(image: Image.Image, stem: str, payload: Mapping[str, Any]) -> Source:
    format = payload.get("format", "keep")
    format = KEPT_AS[format_of(image)] if format == "keep" else format
    if format == "avif" and not features.check("avif"):
        raise ImageRefused("Pillow on this worker cannot write AVIF.")
    moving = payload.get("animation", "first") == "keep"
    durations = durations_ms(image) if moving else []
    exif = b"" if payload.get("strip_metadata", True) else exif_of(image)
    if len(durations) < 2:
        seek(image, 0)
        still = picture(image, one_of_many=False)
        if still is not image:
            # gives its memory back
            image.close()
        return Source(image, stem, format, [], still, exif, still.size)
    if format not in ANIMATED:
        raise ImageRefused(f"The image has {len(durations)} frames, and {format} has one: choose gif or webp.")
    return Source(image, stem, format, durations, None, exif, image.size)


def made(context: Context, source: Source, wanted: Mapping[str, Any]) -> dict[str, Any]:
    payload = context.payload
    fit, never_enlarge = payload.get("fit", "contain"), payload.get("never_enlarge", True)
    plan = planned(source.size, wanted, fit, never_enlarge=never_enlarge)
    width, height = plan.size
    most = min(settings.IMAGE_MAX_PIXELS, MAX_PIXELS.get(source.format, settings.IMAGE_MAX_PIXELS))
    if width * height * max(len(source.durations_ms), 1) > most:
        raise ImageRefused(f"An output would have {width} x {height} pixels; {source.format} has at most {most}.")
    parts = [source.stem, *filter(None, [wanted["name"]])]
    name = f"{'-'.join(parts)}.{ENDINGS.get(source.format, source.format)}"
    path = context.path(f"made-{wanted['name']}")
    with refusing("The image cannot be written"):
        write(context, source, plan, path)
    size = path.stat().st_size
    artefact = context.artefact_file(name, path, f"image/{source.format}")
    path.unlink()
    named = {"name": wanted["name"]} if wanted["name"] else {}
    return {
        **named,
        "artefact": artefact,
        "file": name,
        "format": source.format,
        "width": width,
        "height": height,
        "bytes": size,
    }


def write(context: Context, source: Source, plan: Plan, path: Path) -> None:
    background = background_of(context.payload, source.format)
    frames = (drawn(context, frame, plan, background) for frame in source.frames())
    options = options_of(context.payload, source)
    first = next(frames)
    if len(source.durations_ms) > 1:
        # one frame after the other, as the writer asks for them
        options |= {
            "save_all": True,
            "append_images": frames,
            "duration": source.durations_ms,
            "loop": int(source.image.info.get("loop", 0)),
        }
        if source.format == "gif":
            options["disposal"] = 2
    first.save(path, source.format.upper(), **options)


def drawn(context: Context, image: Image.Image, plan: Plan, background: str | None) -> Image.Image:
    context.check_stopped()
    whole = (0.0, 0.0, float(image.width), float(image.height))
    if plan != Plan(whole, image.size):
        image = image.resize(plan.size, Image.Resampling.LANCZOS, box=plan.part)
    if background and image.mode == "RGBA":
        under = Image.new("RGB", image.size, ImageColor.getrgb(background))
        under.paste(image, mask=image.getchannel("A"))
        image = under
    return image


def background_of(payload: Mapping[str, Any], format: str) -> str | None:
    """None where transparency stays."""
    return payload.get("background") or ("#ffffff" if format in WITHOUT_ALPHA else None)


def options_of(payload: Mapping[str, Any], source: Source) -> dict[str, Any]:
    quality = payload.get("quality", DEFAULT_QUALITY)
    options: dict[str, Any] = {
        "jpeg": {"quality": quality, "optimize": True, "progressive": True},
        "png": {},
        "webp": {"quality": quality},
        "avif": {"quality": quality},
        "gif": {},
    }[source.format]
    return options | ({"exif": source.exif} if source.exif and source.format != "gif" else {})
