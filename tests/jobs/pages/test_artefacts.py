"""The page of files: sent by a plain form, listed, deleted."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from jobs.handlers.artefact_names import name_fault
from jobs.models import Artefact
from orgs.models import User
from tests.conftest import World
from tests.factories import browser, make_job
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "uploads")
    (tmp_path / "uploads").mkdir()
    return tmp_path


def post(user: User, data: bytes = b"a,b\n", name: str = "in.csv", kind: str = "text/csv") -> HttpResponse:
    found: HttpResponse = browser(user).post("/artefacts/", {"file": SimpleUploadedFile(name, data, kind)})
    return found


def test_a_file_from_the_form_is_kept_and_listed(world: World, folders: Path) -> None:
    response = post(world.operator)

    assert (response.status_code, response["Location"]) == (302, "/artefacts/")
    artefact = Artefact.objects.get()
    assert (artefact.name, artefact.content_type, artefact.created_by) == ("in.csv", "text/csv", world.operator)
    assert [path.read_bytes() for path in (folders / "media").rglob("*") if path.is_file()] == [b"a,b\n"]
    assert os.listdir(folders / "uploads") == []
    page = read(browser(world.viewer).get("/artefacts/"))
    row = page.by_id(f"file-{artefact.pk}")
    assert row.one("a", download="").attributes["href"] == f"/artefacts/{artefact.pk}/content/"
    for words in ("in.csv", str(artefact.pk), artefact.sha256, artefact.sha256[:12], "by operator"):
        assert words in row.text
    assert page.all("form", enctype="multipart/form-data") == []
    assert read(browser(world.outsider).get("/artefacts/")).all("a", download="") == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Übersicht 2026.csv", "Ubersicht 2026.csv"),
        ("C:\\temp\\x.csv", "x.csv"),
        ("a;b|c.csv", "a-b-c.csv"),
        ("CON", "file"),
        ("...", "file"),
        ("日本.csv", "csv"),
        ("x\u202efdp.exe", "xfdp.exe"),
        ("a" * 300 + ".csv", "a" * 116 + ".csv"),
        ('"><img onerror=alert(1)>.csv', "img onerror-alert(1)-.csv"),
    ],
)
def test_a_name_from_a_browser_is_made_harmless(world: World, sent: str, kept: str) -> None:
    assert post(world.operator, name=sent).status_code == 302

    assert Artefact.objects.get().name == kept
    assert name_fault(kept) is None


def test_a_file_that_cannot_be_kept_is_explained(world: World, settings: Settings, folders: Path) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = 10
    too_large = post(world.operator, b"x" * 11)
    assert too_large.status_code == 422
    assert "at most 10 bytes" in read(too_large).text

    settings.ARTEFACT_ORG_MAX_BYTES = 10
    assert post(world.operator, b"x" * 8).status_code == 302
    full = post(world.operator, b"x" * 8)
    assert full.status_code == 422
    assert "no room left" in read(full).text

    assert Artefact.objects.count() == 1
    assert os.listdir(folders / "uploads") == []


def test_a_form_that_is_far_too_large_is_not_read(world: World, settings: Settings, folders: Path) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = 10

    assert post(world.operator, b"x" * 20_000).status_code == 413
    assert not (folders / "media").exists()


def test_no_other_form_takes_files(world: World, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends one to the sign-in page does not fill the disk."""
    made: list[Any] = []
    monkeypatch.setattr("django.core.files.uploadedfile.TemporaryUploadedFile.__init__", lambda *a, **k: made.append(a))
    fields = {"username": "x", "password": "y", "file": SimpleUploadedFile("x", b"x" * 5_000_000)}

    assert browser().post("/sign-in/", fields).status_code == 422
    assert browser(world.viewer).post("/artefacts/", fields).status_code == 403

    assert made == []


def test_a_form_of_another_site_sends_nothing(world: World, folders: Path) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)

    response = client.post("/artefacts/", {"file": SimpleUploadedFile("x.csv", b"x", "text/csv")})

    assert response.status_code == 403
    assert not (folders / "media").exists()


def test_a_file_is_deleted_by_its_button(world: World) -> None:
    post(world.operator)
    artefact = Artefact.objects.get()
    path = f"/artefacts/{artefact.pk}/deletion/"
    page = read(browser(world.operator).get("/artefacts/"))
    assert page.one("form", action=path)

    assert browser(world.viewer).post(path).status_code == 403
    assert browser(world.outsider).post(path).status_code == 404
    assert browser(world.operator).get(path).status_code == 405
    assert browser(world.operator).post(path).status_code == 302

    assert not Artefact.objects.exists()


def test_what_a_job_made_is_not_deleted_by_hand(world: World) -> None:
    post(world.operator)
    artefact = Artefact.objects.get()
    Artefact.objects.update(job_id=make_job(world.org).pk, attempt=1)

    browser(world.operator).post(f"/artefacts/{artefact.pk}/deletion/")

    assert Artefact.objects.exists()
    assert read(browser(world.operator).get("/artefacts/")).all("tbody") == []


@pytest.mark.parametrize("word", ["nonsense", "01900000-0000-7000-8000-000000000001"])
def test_an_address_of_no_file_is_not_found(world: World, word: str) -> None:
    assert browser(world.owner).get(f"/artefacts/{word}/content/").status_code == 404
    assert browser(world.owner).get(f"/artefacts/{word}/").status_code == 404
