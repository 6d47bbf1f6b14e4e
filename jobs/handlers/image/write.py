"""Makes the images that a job asks for of the one it read. For confined processes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from PIL import Image, ImageColor, features

from jobs.handlers.base import Context
from jobs.handlers.image.read import (
    ImageRefused,
    bounded,
    durations_ms,
    exif_of,
    format_of,
    opened,
    picture,
    refusing,
    seek,
)
from jobs.handlers.image.sizes import Plan, planned

# What is kept as it came becomes, where it is not a format for the web.
KEPT_AS = {"JPEG": "jpeg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "png", "TIFF": "png"}
ENDINGS = {"jpeg": "jpg"}
WITHOUT_ALPHA = {"jpeg"}
ANIMATED = {"gif", "webp"}
DEFAULT_QUALITY = 80
# Its encoder takes some thirty bytes for each, and dies where it gets none.
MAX_PIXELS = {"avif": 10_000_000}


@dataclass(frozen=True)
class Source:
    """The image that was read, and what the job says of all its outputs."""

    # What its outputs are called after.
    stem: str
    read_as: str
    size: tuple[int, int]
    format: str
    exif: bytes
    # Decoded once where there is one frame; else the opened image and how long each frame is shown.
    still: Image.Image | None
    moving: Image.Image | None = None
    durations_ms: Sequence[int] = ()

    @property
    def frame_count(self) -> int:
        return max(len(self.durations_ms), 1)

    def frames(self) -> Iterator[Image.Image]:
        if self.moving is None:
            assert self.still is not None
            yield self.still
            return
        for number in range(self.frame_count):
            seek(self.moving, number)
            yield picture(self.moving, one_of_many=True)


def worked(context: Context, path: Path, stem: str) -> dict[str, Any]:
    """The job's result; its images are kept on the way. Raises ImageRefused, Stopped."""
    payload = context.payload
    context.progress(0.05, "reading")
    with bounded():
        source = read(path, stem, payload)
        wanted = payload.get("sizes") or [{"name": "", **payload}]
        outputs = []
        for number, one in enumerate(wanted):
            context.check_stopped()
            context.progress(0.2 + 0.8 * number / len(wanted), f"making {one['name'] or 'the image'}")
            outputs.append(made(context, source, one))
    width, height = source.size
    about = {"format": source.read_as.lower(), "width": width, "height": height}
    return {"source": {**about, "bytes": path.stat().st_size, "frames": source.frame_count}, "outputs": outputs}


def read(path: Path, stem: str, payload: Mapping[str, Any]) -> Source:
    image = opened(path)
    read_as = format_of(image)
    format = payload.get("format", "keep")
    format = KEPT_AS[read_as] if format == "keep" else format
    if format == "avif" and not features.check("avif"):
        raise ImageRefused("Pillow on this worker cannot write AVIF.")
    durations = durations_ms(image) if payload.get("animation") == "keep" else []
    exif = b"" if payload.get("strip_metadata", True) else exif_of(image)
    if len(durations) > 1:
        if format not in ANIMATED:
            raise ImageRefused(f"The image has {len(durations)} frames, and {format} has one: choose gif or webp.")
        return Source(stem, read_as, image.size, format, exif, None, image, durations)
    with refusing("The image cannot be decoded"):
        seek(image, 0)
    still = picture(image, one_of_many=False)
    return Source(stem, read_as, still.size, format, exif, still)


def made(context: Context, source: Source, wanted: Mapping[str, Any]) -> dict[str, Any]:
    payload = context.payload
    fit, never_enlarge = payload.get("fit", "contain"), payload.get("never_enlarge", True)
    plan = planned(source.size, wanted, fit, never_enlarge=never_enlarge)
    width, height = plan.size
    most = min(settings.IMAGE_MAX_PIXELS, MAX_PIXELS.get(source.format, settings.IMAGE_MAX_PIXELS))
    if width * height * source.frame_count > most:
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
    if source.moving is not None:
        # one frame after the other, as the writer asks for them
        options |= {
            "save_all": True,
            "append_images": frames,
            "duration": list(source.durations_ms),
            "loop": int(source.moving.info.get("loop", 0)),
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
