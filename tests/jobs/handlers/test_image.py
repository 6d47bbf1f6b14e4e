"""image-resize jobs, each in a confined process: what comes out is right, as other programs than Pillow see it."""

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Done, PermanentFailure
from tests.jobs.handlers.filed import confined, with_files
from tests.jobs.handlers.pictures import (
    dimensions,
    encoded,
    picture,
    png,
)
from tests.jobs.handlers.server import Server
from tests.jobs.handlers.shop import BLUE, ID, LIME, RED, WHITE, Shop, grid, near

# --- formats --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "gif"])
@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_each_format_becomes_each(shop: Shop, source: str, format: str) -> None:
    data = shop.made(encoded(picture(), source), width=60, format=format)

    assert dimensions(data) == (format, 60, 40)
    rows = [[one[:3] for one in row] for row in grid(encoded(Image.open(io.BytesIO(data)).convert("RGB"), "PNG"))]
    assert near(rows[25][15], RED)
    assert near(rows[25][45], BLUE)
    assert near(rows[1][30], LIME)


@pytest.mark.parametrize(
    ("source", "format"),
    [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "png"), ("TIFF", "png")],
)
def test_a_format_is_kept_where_it_is_one_for_the_web(shop: Shop, source: str, format: str) -> None:
    assert dimensions(shop.made(encoded(picture(), source))) == (format, 120, 80)


def test_several_sizes_are_several_files(shop: Shop) -> None:
    sizes = [
        {"name": "thumb", "width": 30, "height": 30},
        {"name": "wide", "width": 90},
        {"name": "Big", "height": 999},
    ]

    answer, kept = shop.tried(encoded(picture(), "PNG"), "Summer holiday (1).PNG", sizes=sizes, fit="cover")

    assert isinstance(answer, Done)
    outputs = answer.result["outputs"]
    assert [(one["name"], one["width"], one["height"]) for one in outputs] == [
        *[("thumb", 30, 30), ("wide", 90, 60), ("Big", 120, 80)]
    ]
    assert [*kept.kept] == [f"Summer-holiday-1-{name}.png" for name in ("thumb", "wide", "Big")]
    assert answer.result["source"] == {
        "format": "png", "width": 120, "height": 80, "bytes": len(encoded(picture(), "PNG")), "frames": 1,
    }  # fmt: skip
    assert kept.steps == sorted(kept.steps)
    assert len(kept.steps) == 4


def test_an_image_from_the_web_is_fetched(server: Server, tmp_path: Path) -> None:
    url = server.on("/pictures/my%20cat.jpg", body=encoded(picture(), "JPEG"), headers={"Content-Type": "text/html"})
    context, kept = with_files("image-resize", {"image": {"url": url}, "width": 12}, tmp_path, {})

    assert isinstance(confined(context), Done)

    assert [*kept.kept] == ["my-cat.jpg"]


def test_a_jpeg_with_others_behind_it_is_a_jpeg(shop: Shop) -> None:
    """As phones make them (MPO)."""
    several = encoded(picture(), "MPO", save_all=True, append_images=[picture((60, 40))])

    answer, _ = shop.tried(several, width=60)

    assert isinstance(answer, Done), answer
    assert (answer.result["source"]["format"], answer.result["source"]["frames"]) == ("jpeg", 1)
    assert answer.result["outputs"][0]["file"] == "photo.jpg"


# --- colours and shapes ---------------------------------------------------------------------------------------------


def test_the_middle_is_taken_to_fill_a_box(shop: Shop) -> None:
    rows = grid(shop.made(encoded(picture((300, 100)), "PNG"), width=50, height=50, fit="cover"))

    assert (len(rows), len(rows[0])) == (50, 50)
    assert near(rows[40][5], RED)
    assert near(rows[40][45], BLUE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_it_is_turned_as_its_camera_was_held(shop: Shop, format: str, orientation: int) -> None:
    """The eight ways of Exif: what a viewer would show is what comes out, and nothing tells to turn it again."""
    upright = picture((120, 80))
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(back[orientation]) if orientation in back else upright
    exif = Image.Exif()
    exif[0x0112] = orientation

    data = shop.made(encoded(stored, format, exif=exif), format="png", strip_metadata=False)

    rows = grid(data)
    assert (len(rows[0]), len(rows)) == (120, 80)
    assert near(rows[60][20], RED)
    assert near(rows[60][100], BLUE)
    assert near(rows[3][60], LIME)
    assert Image.open(io.BytesIO(data)).getexif().get(0x0112, 1) == 1


def test_transparency_is_kept_or_gets_a_background(shop: Shop) -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 10, 20))
    data = encoded(image, "PNG")

    assert grid(shop.made(data))[5][2][3] == 0
    assert grid(shop.made(data, width=10))[5][1][3] == 0
    assert near(grid(shop.made(data, format="jpeg"))[5][2], WHITE)
    assert near(grid(shop.made(data, background="#0000ff"))[5][2], BLUE)
    assert near(grid(shop.made(data, background="#0000ff"))[5][15], RED)


def test_colours_do_not_bleed_from_what_is_transparent(shop: Shop) -> None:
    image = Image.new("RGBA", (40, 40), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (20, 0, 40, 40))

    rows = grid(shop.made(encoded(image, "PNG"), width=10))

    assert all(near(one[:3], RED) for row in rows for one in row if one[3] > 16)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_each_kind_of_png_is_read(shop: Shop, mode: str) -> None:
    image = picture(mode="RGB").quantize(8) if mode == "P" else picture(mode=mode)

    rows = grid(shop.made(encoded(image, "PNG"), format="png", width=60))

    assert (len(rows[0]), len(rows)) == (60, 40)
    if mode in ("P", "RGB", "RGBA"):
        assert near(rows[25][15][:3], RED)


def test_a_palette_with_transparency_is_read(shop: Shop) -> None:
    image = picture().quantize(4)
    index = image.getpixel((20, 60))

    rows = grid(shop.made(encoded(image, "PNG", transparency=index)))

    assert rows[60][20][3] == 0
    assert rows[60][100] == (*BLUE, 255)


def test_an_interlaced_image_is_read(shop: Shop) -> None:
    interlaced = encoded(picture(), "GIF", interlace=1)
    progressive = encoded(picture(), "JPEG", progressive=True)

    for data in (interlaced, progressive):
        assert near(grid(shop.made(data, format="png"))[60][20][:3], RED)


@pytest.mark.parametrize("value", [0, 257 * 128, 65535])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_of_grey_become_eight(shop: Shop, format: str, value: int) -> None:
    data = encoded(Image.new("I;16", (8, 8), value), format)

    assert grid(shop.made(data, format="png"))[4][4] == (value >> 8,)


def test_sixteen_bits_of_colour_become_eight(shop: Shop) -> None:
    row = b"\0" + b"\xff\xff\x80\x00\x00\x00" * 4
    data = png(4, 4, rows=zlib.compress(row * 4), kind=2, depth=16)

    assert grid(shop.made(data))[2][2] == (255, 128, 0)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_print_colours_become_screen_colours(shop: Shop, format: str) -> None:
    rows = grid(shop.made(encoded(picture(mode="CMYK"), format), format="png"))

    assert near(rows[60][20], RED)
    assert near(rows[60][100], BLUE)


def test_colours_of_another_profile_become_srgb(shop: Shop) -> None:
    """Red and green are exchanged in the profile: what is stored as red is meant as green."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    profile = bytearray(bytes(profile).replace(b"s\0R\0G\0B", b"o\0t\0h\0e").replace(b"sRGB", b"othe"))

    plain = grid(shop.made(encoded(picture(), "PNG")))
    other = grid(shop.made(encoded(picture(), "PNG", icc_profile=bytes(profile))))

    assert near(plain[60][20], RED)
    assert near(other[60][20], LIME)
    assert near(other[60][100], BLUE)


@pytest.mark.parametrize("profile", [b"", b"nonsense", b"\0" * 5_000, b"\xff" * 128])
def test_a_broken_profile_is_as_none(shop: Shop, profile: bytes) -> None:
    assert near(grid(shop.made(encoded(picture(), "PNG", icc_profile=profile)))[60][20], RED)


# --- what is refused at submit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"image": {}}, "/image"),
        ({"image": {"artefact": ID, "url": "https://example.com/a.png"}}, "/image"),
        ({"image": {"artefact": "x"}}, "/image/artefact"),
        ({"image": {"url": "http://127.0.0.1/a.png"}}, "/image/url"),
        ({"image": {"url": "file:///etc/passwd"}}, "/image/url"),
        ({"image": {"path": "/etc/passwd"}}, "/image/path"),
        ({"image": "photo.jpg"}, "/image"),
        ({"width": 0}, "/width"),
        ({"width": -5}, "/width"),
        ({"width": 20_000}, "/width"),
        ({"width": 1.5}, "/width"),
        ({"width": "10"}, "/width"),
        ({"width": 10, "sizes": [{"name": "a", "width": 1}]}, "/width"),
        ({"sizes": []}, "/sizes"),
        ({"sizes": [{"name": "a"}]}, "/sizes/0"),
        ({"sizes": [{"name": "../a", "width": 1}]}, "/sizes/0/name"),
        ({"sizes": [{"name": "a", "width": 1}, {"name": "A", "width": 1}]}, "/sizes/1/name"),
        ({"sizes": [{"name": str(n), "width": 1} for n in range(21)]}, "/sizes"),
        ({"fit": "crop"}, "/fit"),
        ({"format": "svg"}, "/format"),
        ({"format": "pdf"}, "/format"),
        ({"quality": 0}, "/quality"),
        ({"quality": 101}, "/quality"),
        ({"background": "red"}, "/background"),
        ({"background": "#fff"}, "/background"),
        ({"animation": "keep", "format": "png"}, "/animation"),
        ({"strip_metadata": "yes"}, "/strip_metadata"),
        ({"formats": ["png"]}, "/formats"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(payload: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("image-resize").check({"image": {"artefact": ID}, **payload}, {})

    assert [found for found, _ in refusal.value.errors] == [pointer]


def test_a_file_of_nobody_ends_the_job(tmp_path: Path) -> None:
    context, _ = with_files("image-resize", {"image": {"artefact": ID}}, tmp_path, {})

    with pytest.raises(PermanentFailure, match="no artefact"):
        confined(context)


def test_it_is_never_run_anywhere_but_in_a_confined_process() -> None:
    handler = registry.get("image-resize")
    assert handler.is_confined({})
    assert handler.is_isolated({})
    assert handler.works_with_files({})
    assert handler.memory_max_bytes == 512_000_000


def test_no_web_or_worker_process_loads_pillow() -> None:
    script = "import django, sys; django.setup(); import smartqueue.urls; print('PIL' in sys.modules)"
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "smartqueue.settings"}

    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
