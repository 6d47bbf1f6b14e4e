"""image-resize jobs on what is no image, or a trap: refused for good or read right, and never the end of a process."""

import os
import struct
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from jobs.errors import InvalidPayload
from jobs.handlers import registry
from jobs.handlers.base import Context, Done, Fail, PermanentFailure, StopReason
from jobs.processes.children import run_in_child
from jobs.processes.servers import server_for
from tests.eventually import eventually
from tests.jobs.handlers.filed import File, assert_was_confined, confined, with_files
from tests.jobs.handlers.pictures import (
    chunk,
    dimensions,
    encoded,
    picture,
    png,
    tiff_of_strips,
    zip_bomb,
)
from tests.jobs.handlers.server import Server

ID = "018f0000-0000-7000-8000-0000000000aa"
NO_IMAGE = "none of JPEG, PNG, WEBP, GIF, BMP, TIFF"


def bmp(width: int, height: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + b"\0" * 100


def webp(width: int, height: int) -> bytes:
    """A lossless one by its header."""
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 20) + b"\x2f" + struct.pack("<I", bits) + b"\0" * 15
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(*tags: tuple[int, int, int, int], tail: bytes = b"") -> bytes:
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags))
    return head + b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 8) + tail


JPEG, PNG = encoded(picture((300, 200)), "JPEG"), encoded(picture((300, 200)), "PNG")
REFUSED: dict[str, Callable[[], bytes]] = {
    # more than may be decoded, by what the header says
    "81 megapixels in 10 KB": lambda: png(9_000, 9_000),
    "169 megapixels": lambda: png(13_000, 13_000),
    "196 megapixels": lambda: png(14_000, 14_000),
    "a little more than allowed": lambda: png(5_001, 5_000),
    "a billion lines": lambda: png(1, 1_000_000_000, rows=b""),
    "2^31 - 1 by 2^31 - 1": lambda: png(2**31 - 1, 2**31 - 1, rows=b""),
    "a BMP of 10^12 pixels": lambda: bmp(10**6, 10**6),
    "a BMP turned over": lambda: bmp(10**5, -(10**5)),
    "a WebP of 268 megapixels": lambda: webp(16_384, 16_384),
    "a GIF of 4 gigapixels": lambda: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0\x3b",
    # text and profiles that are bombs
    "a bomb as profile": lambda: png(10, 10, chunk(b"iCCP", b"x\0\0" + zip_bomb(500))),
    "a bomb as zTXt": lambda: png(10, 10, chunk(b"zTXt", b"x\0\0" + zip_bomb(500))),
    "a bomb as iTXt": lambda: png(10, 10, chunk(b"iTXt", b"x\0\1\0\0\0" + zip_bomb(500))),
    "100 bombs as zTXt": lambda: png(10, 10, *[chunk(b"zTXt", b"x\0\0" + zip_bomb(1)) for _ in range(100)]),
    # broken
    "nothing": lambda: b"",
    "one byte": lambda: b"\xff",
    "no pixels at all": lambda: png(0, 0, rows=zlib.compress(b"")),
    "no width": lambda: png(0, 5, rows=zlib.compress(b"\0" * 5)),
    "a JPEG cut short": lambda: JPEG[: len(JPEG) // 2],
    "a PNG cut short": lambda: PNG[: len(PNG) // 2],
    "only a header": lambda: PNG[:33],
    "a WebP cut short": lambda: encoded(picture(), "WEBP")[:100],
    "a GIF cut short": lambda: encoded(picture(), "GIF")[:40],
    "a TIFF cut short": lambda: encoded(picture(), "TIFF")[:90],
    "a PNG with a wrong sum": lambda: PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:],
    "a TIFF that is its own next": lambda: tiff((256, 4, 1, 8)),
    "a TIFF of no strips": lambda: tiff((256, 4, 1, 10), (257, 4, 1, 10), (273, 4, 0, 0)),
    "a TIFF of strips nowhere": lambda: tiff(
        *[(256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)],
        *[(273, 4, 1, 2**31), (277, 3, 1, 1), (278, 4, 1, 10), (279, 4, 1, 100)],
    ),
    "a TIFF of a million strips": lambda: tiff_of_strips(1_000_000),
    "a TIFF of a billion strips": lambda: tiff((256, 4, 1, 1), (257, 4, 1, 1), (273, 4, 10**9, 100)),
    "numbers with a comma": lambda: encoded(Image.new("F", (10, 10), 0.5), "TIFF"),
    # no images here, whatever they are called
    "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "SVG with an entity": lambda: b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) (r) file\n",
    "PDF": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "WMF": lambda: b"\xd7\xcd\xc6\x9a\0\0" + b"\0" * 40,
    "EMF": lambda: b"\1\0\0\0" + b"\0" * 36 + b" EMF" + b"\0" * 60,
    "MVG": lambda: b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\npop graphic-context\n",
    "ICO": lambda: encoded(picture((32, 32)), "ICO"),
    "JPEG 2000": lambda: encoded(picture((32, 32)), "JPEG2000"),
    "PPM": lambda: encoded(picture((32, 32)), "PPM"),
    "HTML": lambda: b"<html><script>alert(1)</script></html>",
    "a page that says it is a GIF": lambda: b"GIF89a/*<script>*/=1;alert(1)//",
    "an archive": lambda: b"PK\x03\x04" + b"\0" * 100,
    "noise": lambda: os.urandom(10_000),
}


def tried(data: bytes, folder: Path, **payload: Any) -> Any:
    context, kept = with_files("image-resize", {"image": {"artefact": ID}, **payload}, folder, {ID: File(data)})
    return confined(context), kept


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_good(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    began = time.monotonic()

    answer, kept = tried(REFUSED[name](), tmp_path, animation="keep", format="keep")

    took = time.monotonic() - began
    print(f"{name}: {took:.2f} s, {answer.reason if isinstance(answer, Fail) else answer}")
    assert isinstance(answer, Fail), answer
    assert answer.error_type == "ImageRefused"
    assert kept.kept == {}
    assert took < 30
    assert_was_confined(caplog)


@pytest.mark.parametrize(
    ("name", "data", "size"),
    [
        ("more data than pixels", lambda: png(10, 10, rows=zip_bomb(500)), (10, 10)),
        ("ten thousand strips", lambda: tiff_of_strips(10_000), (1, 10_000)),
        ("the most that is read", lambda: png(5_000, 5_000, kind=6), (5_000, 5_000)),
        ("all in one line", lambda: png(1_000_000, 1), (1_000_000, 1)),
        ("a page behind it", lambda: PNG + b"<script>alert(1)</script>", (300, 200)),
    ],
)
def test_it_is_read_right(name: str, data: Callable[[], bytes], size: tuple[int, int], tmp_path: Path) -> None:
    answer, kept = tried(data(), tmp_path, format="png", width=100)

    assert isinstance(answer, Done), answer
    source = answer.result["source"]
    assert (source["width"], source["height"]) == size
    (file,) = kept.kept.values()
    assert dimensions(file.data)[:2] == ("png", min(size[0], 100))


def test_noise_in_an_image_is_refused_or_read_but_never_a_crash(tmp_path: Path) -> None:
    """Every format with bytes of it changed; run_in_child() raises where a process dies."""
    random = struct.unpack("<64I", zlib.compress(os.urandom(256))[:256].ljust(256, b"\1"))
    ends = set()
    for number, format in enumerate(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"] * 6):
        data = bytearray(encoded(picture((90, 60)), format))
        for step in range(10):
            at = random[(number * 7 + step) % 64] % len(data)
            data[at] ^= random[(number + step * 3) % 64] % 255 + 1
        folder = tmp_path / str(number)
        folder.mkdir()
        answer, _ = tried(bytes(data), folder, width=30, format="webp")
        assert isinstance(answer, Done | Fail), (format, answer)
        ends.add(type(answer))
    assert ends == {Done, Fail}


def test_memory_has_a_limit_that_ends_the_job_and_nothing_else(tmp_path: Path) -> None:
    """An alpha channel of noise: its encoder wants more than there is."""
    side = 5_000
    noise = Image.frombytes("L", (side, side), os.urandom(side * side)).point(lambda value: value & 0xC0)
    flat = Image.new("L", noise.size, 90)
    image = Image.merge("RGBA", (flat, flat, flat, noise))

    answer, _ = tried(encoded(image, "PNG", compress_level=1), tmp_path, format="webp")

    assert isinstance(answer, Fail), answer
    assert answer.reason == "The image cannot be written: it takes more memory than there is for it."


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"width": 16_000, "height": 16_000, "fit": "stretch", "never_enlarge": False}, "16000 x 16000 pixels"),
        ({"width": 4_000, "height": 4_000, "fit": "stretch", "never_enlarge": False, "format": "avif"}, "avif has at"),
    ],
)
def test_an_output_has_a_limit_of_pixels(payload: dict[str, Any], words: str, tmp_path: Path) -> None:
    answer, kept = tried(PNG, tmp_path, **payload)

    assert isinstance(answer, Fail)
    assert words in answer.reason
    assert kept.kept == {}


def test_a_file_that_is_too_large_is_not_given_to_a_process(tmp_path: Path, settings: Any) -> None:
    settings.IMAGE_MAX_BYTES = 100

    with pytest.raises(PermanentFailure, match="at most 100 are read"):
        tried(PNG, tmp_path)


def test_an_answer_that_is_too_large_is_not_read(tmp_path: Path, settings: Any, server: Server) -> None:
    settings.IMAGE_MAX_BYTES = 100
    url = server.on("/large", body=b"\x89PNG" * 1_000_000)
    context, _ = with_files("image-resize", {"image": {"url": url}}, tmp_path, {})

    with pytest.raises(PermanentFailure, match="more than 100 bytes"):
        confined(context)


# --- where it may be fetched from -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/"),
        *("http://2130706433/", "http://0x7f000001/", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/a.png"),
        *("file:///etc/passwd", "ftp://example.com/a.png", "gopher://127.0.0.1/", "data:image/png;base64,AA"),
        *("http://user@example.com/", "https://example.com:22/", "//example.com/a.png", "\\\\host\\a.png"),
    ],
)
def test_addresses_that_are_not_public_are_refused(url: str, tmp_path: Path) -> None:
    context, _ = with_files("image-resize", {"image": {"url": url}}, tmp_path, {})

    with pytest.raises(InvalidPayload) as refusal:
        confined(context)

    assert [pointer for pointer, _ in refusal.value.errors] == ["/image/url"]


def test_a_redirect_to_a_private_address_is_not_followed(server: Server, tmp_path: Path) -> None:
    listener = server.on("/private", body=PNG)
    private = listener.replace("127.0.0.1", "127.0.0.2")
    url = server.on("/redirect", 302, headers={"Location": private})
    context, kept = with_files("image-resize", {"image": {"url": url}}, tmp_path, {})

    with pytest.raises(PermanentFailure, match="not public"):
        confined(context)

    assert [asked.path for asked in server.asked] == ["/redirect"]
    assert kept.kept == {}


# --- ends -----------------------------------------------------------------------------------------------------------


def slow_payload() -> dict[str, Any]:
    """Many seconds of work."""
    sizes = [{"name": f"n{number}", "width": 3_000 + number} for number in range(20)]
    return {"image": {"artefact": ID}, "sizes": sizes, "format": "avif", "quality": 100}


def running(context: Context) -> tuple[threading.Thread, list[Any]]:
    ends: list[Any] = []

    def work() -> None:
        try:
            ends.append(run_in_child(context, registry.get("image-resize")))
        except Exception as error:
            ends.append(error)

    registry.get("image-resize").gather(context)
    thread = threading.Thread(target=work)
    thread.start()
    return thread, ends


def below_the_fork_server() -> list[psutil.Process]:
    process = server_for("image-resize")._process
    assert process is not None
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("how", ["cancelled", "out of time"])
def test_it_is_ended_within_two_seconds_and_nothing_is_left(how: str, tmp_path: Path) -> None:
    noise = Image.frombytes("L", (500, 500), os.urandom(250_000)).resize((4_000, 3_000)).convert("RGB")
    context, kept = with_files("image-resize", slow_payload(), tmp_path, {ID: File(encoded(noise, "JPEG"))})
    thread, ends = running(context)
    eventually(lambda: [words for _, words in kept.steps if words.startswith("making")])
    assert below_the_fork_server()

    began = time.monotonic()
    if how == "cancelled":
        context.stop(StopReason.CANCELLED)
    else:
        context.timeout_seconds = 0.01
    thread.join(20)

    took = time.monotonic() - began
    print(f"{how}: ended {took:.2f} s after being told")
    assert not thread.is_alive()
    assert took < 2
    eventually(lambda: below_the_fork_server() == [])
    assert context.stop_reason == (StopReason.CANCELLED if how == "cancelled" else StopReason.TIMEOUT)
    assert not any(isinstance(end, Done) for end in ends)
