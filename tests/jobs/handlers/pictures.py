"""Images for tests, good and bad, and what another program than Pillow sees in them."""

import io
import shutil
import struct
import subprocess
import zlib
from typing import Any

from PIL import Image, ImageDraw


def picture(size: tuple[int, int] = (120, 80), mode: str = "RGB") -> Image.Image:
    """Red left half, blue right half, with a green line along the top."""
    image = Image.new("RGB", size, "red")
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 2, 0, size[0], size[1]), "blue")
    draw.rectangle((0, 0, size[0], size[1] // 8), "lime")
    return image.convert(mode)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    to = io.BytesIO()
    image.save(to, format, **options)
    return to.getvalue()


def dimensions(data: bytes) -> tuple[str, int, int]:
    """Read from the bytes as the formats' own papers say."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ("png", *struct.unpack(">II", data[16:24]))
    if data.startswith((b"GIF87a", b"GIF89a")):
        return ("gif", *struct.unpack("<HH", data[6:10]))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ("webp", *webp_dimensions(data))
    if data[4:12] == b"ftypavif":
        at = data.index(b"ispe")
        return ("avif", *struct.unpack(">II", data[at + 8 : at + 16]))
    assert data.startswith(b"\xff\xd8")
    return ("jpeg", *jpeg_dimensions(data))


def webp_dimensions(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def jpeg_dimensions(data: bytes) -> tuple[int, int]:
    at = 2
    while data[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    height, width = struct.unpack(">HH", data[at + 5 : at + 9])
    return width, height


def mime_type(data: bytes) -> str:
    """As file(1) has it; empty where there is none."""
    if not (program := shutil.which("file")):
        return ""
    done = subprocess.run([program, "--brief", "--mime-type", "-"], input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Of a PNG."""
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def pixels(data: bytes) -> list[list[tuple[int, ...]]]:
    """Of a PNG of 8 bits a channel that is not interlaced, decoded by hand."""
    found = chunks(data)
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", found[0][1])
    assert (depth, interlaced) == (8, 0)
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    raw = zlib.decompress(b"".join(body for name, body in found if name == b"IDAT"))
    stride, rows, above = width * channels, [], bytearray(width * channels)
    for row in range(height):
        line = bytearray(raw[row * (stride + 1) + 1 : (row + 1) * (stride + 1)])
        unfilter(raw[row * (stride + 1)], line, above, channels)
        rows.append([tuple(line[at : at + channels]) for at in range(0, stride, channels)])
        above = line
    return rows


def unfilter(kind: int, line: bytearray, above: bytearray, channels: int) -> None:
    for at in range(len(line)):
        left = line[at - channels] if at >= channels else 0
        up, corner = above[at], above[at - channels] if at >= channels else 0
        line[at] = (line[at] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind]) & 255


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda one: abs(guess - one))


# --- bad ones -------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *more: bytes, rows: bytes | None = None, kind: int = 0, depth: int = 8) -> bytes:
    """A PNG of any size, all of one colour: a few kilobytes for many millions of pixels."""
    channels = {0: 1, 2: 3, 6: 4}[kind]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    if rows is None:
        packer = zlib.compressobj(9)
        line = b"\0" * (width * channels + 1)
        rows = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def zip_bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(megabytes)) + packer.flush()


def gif_of_frames(count: int, size: tuple[int, int] = (1, 1)) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", *size) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0\x01\0\0\0" + b"\x2c\0\0\0\0\x01\0\x01\0\0" + b"\x02\x02\x44\x01\0"
    return head + frame * count + b"\x3b"


def tiff_of_strips(count: int) -> bytes:
    """One column of so many rows, each a strip of its own; all strips are the same byte."""
    tags = [
        (256, 4, 1, 1), (257, 4, 1, count), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, count, 200), (277, 3, 1, 1), (278, 4, 1, 1), (279, 4, count, 200 + 4 * count),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    return head.ljust(200, b"\x80") + struct.pack("<I", 199) * count + struct.pack("<I", 1) * count
