"""Runs image-resize jobs in confined processes, and looks at what they made."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from jobs.handlers.base import Answer, Done
from tests.jobs.handlers.filed import File, Kept, confined, with_files
from tests.jobs.handlers.pictures import dimensions, encoded, mime_type, pixels

ID = "018f0000-0000-7000-8000-0000000000aa"
RED, BLUE, LIME, WHITE = (255, 0, 0), (0, 0, 255), (0, 255, 0), (255, 255, 255)


class Shop:
    """Runs jobs on images, in a folder of their own each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def tried(self, data: bytes, name: str = "photo.jpg", **payload: Any) -> tuple[Answer, Kept]:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        payload = {"image": {"artefact": ID}, **payload}
        context, kept = with_files("image-resize", payload, folder, {ID: File(data, name)})
        return confined(context), kept

    def made(self, data: bytes, **payload: Any) -> bytes:
        """The one output."""
        answer, kept = self.tried(data, **payload)
        assert isinstance(answer, Done), answer
        (file,) = kept.kept.values()
        (told,) = answer.result["outputs"]
        assert dimensions(file.data) == (told["format"], told["width"], told["height"])
        assert (told["bytes"], told["artefact"], told["file"]) == (len(file.data), f"id of {file.name}", file.name)
        assert file.content_type == f"image/{told['format']}"
        assert mime_type(file.data) in ("", file.content_type)
        return file.data


def near(found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """As near as lossy formats come."""
    return len(found) == len(wanted) and all(abs(a - b) <= 20 for a, b in zip(found, wanted, strict=True))


def grid(data: bytes) -> list[list[tuple[int, ...]]]:
    """By hand where that is possible, else by way of a PNG, which is then read by hand."""
    return pixels(data if data.startswith(b"\x89PNG") else encoded(Image.open(io.BytesIO(data)), "PNG"))
