"""`make docs`: the site is built with all its links, from what is here, and its reference is whole."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.process import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-f", "deploy/docs/mkdocs.yml"]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*command, "-d", str(folder)], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=540
    )
    assert done.returncode == 0, done.stderr
    return folder


class Loads(HTMLParser):
    """What a page makes a browser fetch by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        known = dict(attributes)
        if tag in LOADED:
            self.found.append(known.get(LOADED[tag]) or "")
        if tag == "link" and known.get("rel") in {"stylesheet", "icon", "preload", "preconnect", "modulepreload"}:
            self.found.append(known.get("href") or "")


def text_of(site: Path, name: str) -> str:
    return (site / name).read_text(encoding="utf-8")


def test_every_page_of_the_docs_is_there_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert [str(page) for page in pages if not (site / page).is_file()] == []
    for path in site.rglob("*.html"):
        loads = Loads()
        loads.feed(path.read_text(encoding="utf-8"))
        assert [one for one in loads.found if re.match(r"(https?:)?//", one)] == [], path


def test_the_reference_has_every_setting_that_is_read(site: Path) -> None:
    page = text_of(site, "reference/settings.html")
    read = set(re.findall(r"env_[a-z]+\(\s*\"([A-Z_0-9]+)\"", (ROOT / "smartqueue" / "settings.py").read_text()))
    assert len(read) > 150
    assert [name for name in sorted(read) if f"<code>{name}</code>" not in page] == []
    assert "Renewed at a third" in page


def test_the_reference_has_every_command_and_operation(site: Path) -> None:
    page = text_of(site, "reference/commands.html")
    for app in ("jobs", "orgs", "smartqueue"):
        for path in (ROOT / app / "management" / "commands").glob("[a-z]*.py"):
            assert f'id="{path.stem}"' in page
    assert "usage: sq submit" in page
    assert "usage: manage.py doctor [-h] [--json]" in page
    assert "--pythonpath" not in page
    assert "/api/v1/bulk-operations/{operation_id}/stop/" in text_of(site, "reference/api.html")
