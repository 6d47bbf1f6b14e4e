"""image-resize jobs: what of an image's notes, frames and stowaways is in what is made of it."""

import io
import re

import pytest
from PIL import Image

from jobs.errors import InvalidPayload
from jobs.handlers.base import Fail
from tests.jobs.handlers.pictures import (
    chunk,
    chunks,
    dimensions,
    encoded,
    gif_of_frames,
    picture,
    png,
)
from tests.jobs.handlers.shop import BLUE, LIME, RED, WHITE, Shop, grid, near

# --- metadata -------------------------------------------------------------------------------------------------------


def with_metadata(format: str) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Camera of Ada"
    more = {"comment": b"made by Ada"} if format in ("JPEG", "GIF") else {}
    return encoded(picture(), format, exif=exif, **more)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("to", ["keep", "avif"])
def test_metadata_is_gone(shop: Shop, format: str, to: str) -> None:
    assert b"Ada" in with_metadata(format)

    data = shop.made(with_metadata(format), format=to)

    assert b"Ada" not in data
    assert b"Exif" not in data


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_metadata_stays_where_that_is_wanted(shop: Shop, format: str) -> None:
    data = shop.made(with_metadata(format), strip_metadata=False)

    assert Image.open(io.BytesIO(data)).getexif()[0x010F] == "Camera of Ada"


def test_what_follows_or_hides_in_an_image_is_gone(shop: Shop) -> None:
    """Files that are two things at once: an archive behind a GIF, a page within a JPEG or a PNG."""
    page = b"<script>alert(1)</script><?php system($_GET[0]); ?>"
    zipped = b"PK\x03\x04META-INF/MANIFEST.MF" + b"\0" * 50
    sources = [
        encoded(picture(), "GIF", comment=page) + zipped,
        encoded(picture(), "JPEG", comment=page) + page + zipped,
        png(10, 10, chunk(b"tEXt", b"Comment\0" + page), chunk(b"prVt", page)) + page + zipped,
        encoded(picture(), "WEBP", xmp=page) + zipped,
    ]

    for data in sources:
        assert page in data
        for format in ("keep", "webp"):
            made = shop.made(data, format=format)
            assert b"script" not in made
            assert b"php" not in made
            assert b"META-INF" not in made
    assert {name for name, _ in chunks(shop.made(sources[2]))} == {b"IHDR", b"IDAT", b"IEND"}


# --- animations -----------------------------------------------------------------------------------------------------


def animated(format: str, count: int = 5) -> bytes:
    colours = ["red", "lime", "blue", "white", "black"]
    frames = [Image.new("RGB", (40, 20), colours[number % 5]) for number in range(count)]
    more = {"lossless": True} if format == "WEBP" else {}
    shown_ms = [50 + 10 * number for number in range(count)]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=shown_ms, loop=3, **more)


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(shop: Shop, source: str) -> None:
    data = shop.made(animated(source), format="png")

    assert near(grid(data)[10][10][:3], RED)


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
@pytest.mark.parametrize("format", ["gif", "webp"])
def test_an_animation_is_kept_where_that_is_wanted(shop: Shop, source: str, format: str) -> None:
    data = shop.made(animated(source), format=format, animation="keep", width=20)

    # by the formats' own marks: a graphic control each, a frame chunk each
    assert len(re.findall(rb"\x21\xf9\x04|ANMF", data)) == 5
    image = Image.open(io.BytesIO(data))
    found = []
    for number in range(5):
        image.seek(number)
        image.load()
        found.append((image.convert("RGB").getpixel((10, 5)), image.info["duration"]))
    assert [one[1] for one in found] == [50, 60, 70, 80, 90]
    assert all(near(one[0], wanted) for one, wanted in zip(found, [RED, LIME, BLUE, WHITE, (0, 0, 0)], strict=True))
    assert image.info["loop"] == 3


def test_a_moving_image_cannot_become_one_that_stands(shop: Shop) -> None:
    with pytest.raises(InvalidPayload):
        shop.tried(animated("GIF"), format="jpeg", animation="keep")
    assert dimensions(shop.made(encoded(picture(), "PNG"), animation="keep"))[0] == "png"


def test_an_animation_of_too_many_frames_is_refused_or_its_first_frame_taken(shop: Shop) -> None:
    many = gif_of_frames(100_000)

    answer, _ = shop.tried(many, animation="keep")
    assert isinstance(answer, Fail)
    assert answer.reason == "The animation has more than 1000 frames."
    assert dimensions(shop.made(many)) == ("gif", 1, 1)
