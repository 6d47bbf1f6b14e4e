"""Every sentence of the pages is in the catalogue of each other language, and is what the compiled one says."""

import gettext
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests.process import ROOT

CATALOGUE = Path("locale/de/LC_MESSAGES/django.po")
SOURCES = ("templates", "jobs", "orgs", "analytics", "smartqueue")
ENTRY = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) "(.*)"$')
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w+\}")
# What is taken out of a template before its words are looked for: what is marked, and what is code.
MARKED = re.compile(
    r"{%-? blocktranslate.*?endblocktranslate -?%}|{#.*?#}|{% block page_class %}.*?{% endblock %}", re.DOTALL
)
TAGS = re.compile(r"{[{%].*?[%}]}", re.DOTALL)
CODE = re.compile(r"<(script|style|pre|code)\b[^>]*>.*?</\1>", re.DOTALL)
READ = re.compile(r'\s(?:aria-label|data-label|placeholder|title|label)="([^"]*)"')
HTML = re.compile(r"<[^<>]*>")
WORD = re.compile(r"[A-Za-z]{2,}")
# Names and values, which are the same everywhere, or are no words.
SAME = {
    *("API", "CPU", "CSV", "Ctrl", "Enter", "Esc", "JSON", "SHA", "SmartQueue", "URL", "UTC", "curl", "nbsp", "pid"),
    *("admin", "high", "live", "low", "medium", "operator", "org", "sq", "viewer"),
}

needs_gettext = pytest.mark.skipif(
    shutil.which("xgettext") is None, reason="NO GETTEXT, so no catalogue was looked at: apt-get install gettext"
)


def entries(path: Path) -> list[dict[str, str]]:
    """What stands in a catalogue, without its header."""
    found: list[dict[str, str]] = []
    for block in path.read_text(encoding="utf-8").split("\n\n"):
        entry, last = {"flags": ""}, ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry["flags"] += line
            elif whole := ENTRY.match(line):
                last = whole[1]
                entry[last] = whole[2]
            elif line.startswith('"'):
                entry[last] += line[1:-1]
        if entry.get("msgid"):
            found.append(entry)
    return found


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The catalogue as the templates and the code make it today."""
    copy = tmp_path_factory.mktemp("messages")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("migrations", "__pycache__"))
    shutil.copytree(ROOT / "locale", copy / "locale")
    command = [sys.executable, "-m", "django", "makemessages", "-l", "de", "--no-obsolete", "--no-location"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    return entries(copy / CATALOGUE)


def keys(found: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(entry.get("msgctxt", ""), entry["msgid"]) for entry in found}


@needs_gettext
def test_the_catalogue_has_every_sentence_and_no_other(extracted: list[dict[str, str]]) -> None:
    kept = keys(entries(ROOT / CATALOGUE))

    assert sorted(keys(extracted) - kept) == [], "make messages"
    assert sorted(kept - keys(extracted)) == [], "make messages"


def test_every_sentence_is_translated() -> None:
    wrong = []
    for entry in entries(ROOT / CATALOGUE):
        said = [text for name, text in entry.items() if name.startswith("msgstr")]
        if not all(said) or "fuzzy" in entry["flags"]:
            wrong.append(entry["msgid"])

    assert wrong == []


def test_a_translation_has_the_places_of_its_sentence() -> None:
    wrong = []
    for entry in entries(ROOT / CATALOGUE):
        wanted = set(PLACES.findall(entry["msgid"])) | set(PLACES.findall(entry.get("msgid_plural", "")))
        for name, text in entry.items():
            found = set(PLACES.findall(text))
            if name.startswith("msgstr") and (found - wanted or ("[0]" not in name and wanted - found)):
                wrong.append((entry["msgid"], text))

    assert wrong == []


@needs_gettext
def test_what_is_compiled_is_what_is_written(tmp_path: Path) -> None:
    made = tmp_path / "made.mo"
    subprocess.run(["msgfmt", "--check", "-o", made, ROOT / CATALOGUE], check=True)
    with made.open("rb") as fresh, (ROOT / CATALOGUE).with_suffix(".mo").open("rb") as kept:
        said, shown = (gettext.GNUTranslations(file)._catalog for file in (fresh, kept))  # type: ignore[attr-defined]

    assert said == shown, "make messages"


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.stem)
def test_each_word_of_a_template_is_marked(path: Path) -> None:
    if path.parent.name == "admin" or path.stem == "docs":
        pytest.skip("in English only")
    text = TAGS.sub(" ", MARKED.sub(" ", path.read_text(encoding="utf-8")))
    text = CODE.sub(" ", text)
    read = [*READ.findall(text), HTML.sub(" ", text)]

    assert {word for one in read for word in WORD.findall(one)} - SAME == set()


def test_each_language_has_a_catalogue() -> None:
    others = {code for code, _ in settings.LANGUAGES} - {settings.LANGUAGE_CODE}

    assert {path.parent.parent.name for path in (ROOT / "locale").glob("*/LC_MESSAGES/django.po")} == others
