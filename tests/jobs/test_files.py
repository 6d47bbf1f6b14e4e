"""Bytes of artefacts: what is stored is what was given, and nothing but the attempt's own files."""

import hashlib
import io
import os
from pathlib import Path
from typing import IO

import pytest
from django.core.files.storage import default_storage
from pytest_django.fixtures import Settings

from jobs.files import CHUNK_BYTES, TooLarge, open_within, store


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


class Broken(io.RawIOBase):
    """A source that ends in an error after its first piece."""

    def __init__(self) -> None:
        self.told = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.told:
            raise ConnectionError("cut off")
        self.told = True
        return b"a" * CHUNK_BYTES


def left(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7])
def test_what_is_stored_is_what_was_given(size: int) -> None:
    data = os.urandom(size)

    stored = store(7, io.BytesIO(data), max_bytes=size)

    assert stored.name.startswith("7/")
    assert (stored.size_bytes, stored.sha256) == (size, hashlib.sha256(data).hexdigest())
    with default_storage.open(stored.name) as file:
        assert file.read() == data


def test_of_too_much_nothing_is_kept(root: Path) -> None:
    with pytest.raises(TooLarge):
        store(7, io.BytesIO(b"a" * (2 * CHUNK_BYTES)), max_bytes=2 * CHUNK_BYTES - 1)

    assert left(root) == []


def test_of_what_broke_off_nothing_is_kept(root: Path) -> None:
    source: IO[bytes] = Broken()  # type: ignore[assignment]
    with pytest.raises(ConnectionError):
        store(7, source, max_bytes=10 * CHUNK_BYTES)

    assert left(root) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../secret", "/etc/passwd", "sub/file", "a\0b", "missing", "fifo", "sub"]
)
def test_only_files_directly_in_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("x")
    (tmp_path / "secret").write_text("hunter2")
    os.mkfifo(folder / "fifo")

    with pytest.raises(ValueError):
        open_within(folder, name)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_no_link_leads_out_of_it(tmp_path: Path, link: object) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_text("hunter2")
    assert callable(link)
    link(tmp_path / "secret", folder / "link")

    with pytest.raises(ValueError):
        open_within(folder, "link")


def test_its_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"kept")
    with open_within(tmp_path, "mine") as file:
        assert file.read() == b"kept"
