"""Reads images that tenants send: bounded before they are decoded, upright, in plain colours. In confined processes."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from jobs.handlers.base import PermanentFailure, Stopped

# None of them is another program's input: PostScript, WMF, PDF and SVG are not images here.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
# Pillow's name where it is another than ours; MPO is a JPEG with further ones behind it, as phones make them.
SAME_AS = {"MPO": "JPEG"}
ANIMATED = {"GIF", "WEBP"}
# A TIFF is in pieces, each decoded by itself; the tallest that is read has one for each row.
MAX_PIECES = 65_536
PROFILE_MAX_BYTES, EXIF_MAX_BYTES = 4_000_000, 60_000
# The tag of the note how an image is to be turned.
ORIENTATION = 0x0112
# Description, make, model, software, time, artist, copyright; and the parts about the photograph and its place.
KEPT_TAGS, KEPT_PARTS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298), (0x8769, 0x8825)
SIXTEEN_BITS = {"I;16", "I;16L", "I;16B", "I;16N"}
WITH_ALPHA = {"RGBA", "LA", "La", "PA", "RGBa"}
READ_AS_THEY_ARE = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", *WITH_ALPHA, *SIXTEEN_BITS}
NO_DURATION_MS = 100
NO_MEMORY = "it takes more memory than there is for it."
# What libwebp calls the same (VP8_ENC_ERROR_OUT_OF_MEMORY).
WEBP_NO_MEMORY = "encoding error 1"


class ImageRefused(PermanentFailure):
    """The image cannot be worked with, or would take more than it may; the message says why."""


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Whatever a library finds wrong with an image that somebody sent is final: it will be the same image next time."""
    try:
        yield
    except (ImageRefused, Stopped):
        raise
    except MemoryError:
        raise ImageRefused(f"{what}: {NO_MEMORY}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ImageRefused(f"{what}: it has more than {settings.IMAGE_MAX_PIXELS} pixels.") from None
    except UnidentifiedImageError:
        raise ImageRefused(f"{what}: it is none of {', '.join(FORMATS)}, or broken.") from None
    except Exception as error:
        words = NO_MEMORY if str(error) == WEBP_NO_MEMORY else f"{type(error).__name__}: {error}"
        raise ImageRefused(f"{what}: {words}"[:500]) from error


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """While an image is worked with: what Pillow only warns of is refused or of no interest."""
    Image.MAX_IMAGE_PIXELS = settings.IMAGE_MAX_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def opened(path: Path) -> ImageFile.ImageFile:
    """The image, of which only the header is read yet. Raises ImageRefused."""
    with refusing("The image cannot be read"):
        image = Image.open(path, formats=FORMATS)
        check(image)
        return image


def check(image: ImageFile.ImageFile) -> None:
    if not 0 < image.width * image.height <= settings.IMAGE_MAX_PIXELS:
        raise ImageRefused(
            f"The image has {image.width} x {image.height} pixels; at most {settings.IMAGE_MAX_PIXELS} in all are read."
        )
    if len(image.tile) > MAX_PIECES:
        raise ImageRefused(f"The image is in {len(image.tile)} pieces; at most {MAX_PIECES} are read.")
    if image.mode not in READ_AS_THEY_ARE:
        raise ImageRefused(f"Images whose pixels are kept as {image.mode} are not read.")


def format_of(image: Image.Image) -> str:
    name = image.format or ""
    return SAME_AS.get(name, name)


def durations_ms(image: Image.Image) -> list[int]:
    """How long each frame is shown; one for an image that stands still. Raises ImageRefused for too many."""
    if format_of(image) not in ANIMATED:
        return [0]
    found: list[int] = []
    with refusing("The animation cannot be read"):
        while seek(image, len(found)):
            image.load()
            found.append(int(image.info.get("duration", NO_DURATION_MS)))
            if len(found) > settings.IMAGE_MAX_FRAMES:
                raise ImageRefused(f"The animation has more than {settings.IMAGE_MAX_FRAMES} frames.")
            if len(found) * image.width * image.height > settings.IMAGE_MAX_ANIMATION_PIXELS:
                most = settings.IMAGE_MAX_ANIMATION_PIXELS
                raise ImageRefused(f"The animation's frames have more than {most} pixels together.")
    return found


def seek(image: Image.Image, frame: int) -> bool:
    """False behind the last frame."""
    try:
        image.seek(frame)
    except EOFError:
        return False
    return True


def picture(image: Image.Image, *, one_of_many: bool) -> Image.Image:
    """The current frame, decoded: upright, 8 bits a channel, grey, RGB or RGBA, in sRGB. Raises ImageRefused.

    Where it is the only one, it may be the opened image itself, whose pixels take up enough memory once.
    """
    with refusing("The image cannot be decoded"):
        image.load()
        plain = in_srgb(image, upright(image))
        # the readers of animated formats hold the frame once more
        if plain is image and (one_of_many or format_of(image) in ANIMATED):
            plain = plain.copy()
        # text, profiles and the like: what is written with the result is only what we put there
        plain.info = {}
        return plain


def upright(image: Image.Image) -> Image.Image:
    """Turned as its camera was held; a broken note about that is as none."""
    try:
        as_it_is = image.getexif().get(ORIENTATION, 1) in (0, 1)
    except MemoryError:
        raise
    except Exception:
        as_it_is = True
    return image if as_it_is else ImageOps.exif_transpose(image)


def in_srgb(image: Image.Image, turned: Image.Image) -> Image.Image:
    plain = eight_bits(turned)
    profile = image.info.get("icc_profile")
    # an index of colours and a 16-bit grey are not what the profile speaks of any more
    if profile and len(profile) <= PROFILE_MAX_BYTES and turned.mode in {"L", "RGB", "RGBA", "CMYK"}:
        plain = by_profile(turned, profile) or plain
    return plain


def eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BITS:
        return image.convert("I").point(lambda value: value * (1 / 256) + 0).convert("L")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    wanted = "L" if image.mode in {"1", "L"} else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """None where the profile is not understood, or not needed; the colours are then taken as they are."""
    if image.mode != "RGBA" and image.has_transparency_data:
        return None
    try:
        found = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(found):
            return None
        wanted = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, found, ImageCms.createProfile("sRGB"), outputMode=wanted)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def exif_of(image: Image.Image) -> bytes:
    """What it says of itself, but for how to turn it, which is done; nothing where it is broken or does not fit."""
    try:
        exif, kept = image.getexif(), Image.Exif()
        for tag in KEPT_TAGS:
            if tag in exif:
                kept[tag] = exif[tag]
        for tag in KEPT_PARTS:
            if part := exif.get_ifd(tag):
                kept.get_ifd(tag).update(part)
        found = kept.tobytes()
        return found if kept and len(found) < EXIF_MAX_BYTES else b""
    except Exception:
        return b""
