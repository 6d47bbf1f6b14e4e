"""Files over REST: downloaded whole or in part, linked to, deleted."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs import downloads
from jobs.models import Artefact
from orgs.models import AuditEntry, Org
from tests.conftest import World
from tests.factories import api, browser, make_job
from tests.jobs.api.files import ARTEFACTS, DATA, content, get, sent, stored
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"])
def test_a_download_never_becomes_a_page_of_ours(world: World, kind: str) -> None:
    artefact = sent(world, b"<script>alert(1)</script>", "page.html", kind)
    word = api(world.operator).post(f"{ARTEFACTS}{artefact.pk}/links/", {}).json()["url"]

    for response in (
        get(world, artefact),
        browser(world.viewer).get(f"/artefacts/{artefact.pk}/content/"),
        browser().get(word),
    ):
        assert response["Content-Disposition"] == 'attachment; filename="page.html"'
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert "private" in response["Cache-Control"]
        assert content(response) == b"<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=10200-", 10200, 10239),
        ("bytes=-5", 10235, 10239),
        ("bytes=-99999", 0, 10239),
        ("bytes=0-999999", 0, 10239),
    ],
)
def test_a_range_is_answered_with_that_part(world: World, asked: str, first: int, last: int) -> None:
    response = get(world, sent(world), Range=asked)

    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
    assert response["Content-Length"] == str(last - first + 1)
    assert content(response) == DATA[first : last + 1]
    assert response["Content-Disposition"] == 'attachment; filename="data.bin"'


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=0-1,5-6", "lines=0-1", "bytes=a-b", "bytes=٠-١", "bytes=0-" + "9" * 30]
)
def test_a_range_that_is_none_is_answered_with_the_whole(world: World, asked: str) -> None:
    response = get(world, sent(world), Range=asked)

    assert (response.status_code, content(response)) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_behind_the_end_is_told_so(world: World, asked: str) -> None:
    response = get(world, sent(world), Range=asked)

    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(DATA)}"


def test_a_part_of_another_version_is_not_added_to(world: World) -> None:
    artefact = sent(world)
    etag = f'"{artefact.sha256}"'

    for headers, status in [
        ({}, 200),
        ({"Range": "bytes=0-1", "If-Range": etag}, 206),
        ({"Range": "bytes=0-1", "If-Range": '"other"'}, 200),
        ({"If-None-Match": f'"x", W/{etag}'}, 304),
        ({"If-None-Match": '"x"'}, 200),
    ]:
        response = get(world, artefact, **headers)
        assert (response.status_code, response["ETag"]) == (status, etag)
        content(response)


def test_a_file_of_a_job_is_found_by_its_id_too(world: World) -> None:
    artefact = sent(world)
    job = make_job(world.org)
    Artefact.objects.update(job_id=job.pk, attempt=1, expires_at=None)

    told = api(world.viewer).get(f"{ARTEFACTS}{artefact.pk}/").json()

    assert (told["job_id"], told["attempt"], told["expires_at"]) == (str(job.pk), 1, None)
    assert content(get(world, artefact)) == DATA
    assert content(api(world.viewer).get(f"/api/v1/jobs/{job.pk}/artefacts/{artefact.pk}/")) == DATA
    assert api(world.viewer).get(ARTEFACTS).json()["items"] == []
    assert_refused(api(world.operator).delete(f"{ARTEFACTS}{artefact.pk}/"), 409)
    assert content(get(world, artefact)) == DATA


def test_what_is_not_in_the_storage_any_more_is_not_found(world: World) -> None:
    artefact = sent(world)
    default_storage.delete(str(artefact.file.name))

    assert_refused(get(world, artefact), 404)
    assert browser(world.viewer).get(f"/artefacts/{artefact.pk}/content/").status_code == 404


@pytest.mark.parametrize("place", ["file", "folder", "way out"])
def test_a_link_in_the_storage_leads_nowhere(world: World, storage: Path, tmp_path: Path, place: str) -> None:
    artefact = sent(world)
    (file,) = stored(storage)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / file.name).write_bytes(b"secret")
    if place == "file":
        file.unlink()
        file.symlink_to(outside / file.name)
    elif place == "folder":
        file.unlink()
        file.parent.rmdir()
        file.parent.symlink_to(outside)
    else:
        Artefact.objects.update(file=f"../outside/{file.name}")

    assert_refused(get(world, artefact), 404)


def test_what_has_expired_is_gone_before_it_is_swept(world: World) -> None:
    artefact = sent(world)
    link = api(world.operator).post(f"{ARTEFACTS}{artefact.pk}/links/", {}).json()["url"]
    Artefact.objects.update(expires_at=Now() - timedelta(seconds=1))

    assert api(world.viewer).get(ARTEFACTS).json()["items"] == []
    assert_refused(get(world, artefact), 404)
    assert browser().get(link).status_code == 404


def test_the_list_is_paged_the_newest_first(world: World) -> None:
    ids = [str(sent(world, b"x", f"f{number}").pk) for number in range(5)]
    client = api(world.viewer)

    first = client.get(f"{ARTEFACTS}?limit=3").json()
    second = client.get(f"{ARTEFACTS}?limit=3&cursor={first['next_cursor']}").json()

    assert [one["id"] for one in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None


# --- deleting and links ---------------------------------------------------------------------------------------------


def test_a_deleted_file_is_gone_with_its_bytes(
    world: World, storage: Path, django_capture_on_commit_callbacks: Any
) -> None:
    artefact = sent(world)

    with django_capture_on_commit_callbacks(execute=True):
        assert api(world.operator).delete(f"{ARTEFACTS}{artefact.pk}/").status_code == 204

    assert stored(storage) == []
    assert_refused(api(world.operator).delete(f"{ARTEFACTS}{artefact.pk}/"), 404)
    assert AuditEntry.objects.filter(action="artefact.delete", target=artefact.pk).count() == 1


def linked(world: World, artefact: Artefact, **body: Any) -> str:
    response = api(world.operator).post(f"{ARTEFACTS}{artefact.pk}/links/", body)
    assert response.status_code == 201, response.content
    return str(response.json()["url"])


def test_whoever_has_a_link_has_the_file_and_nothing_else(world: World) -> None:
    artefact, other = sent(world), sent(world, b"other")
    url = linked(world, artefact)

    response = browser().get(url)

    assert content(response) == DATA
    assert response["Referrer-Policy"] == "no-referrer"
    assert browser().post(url).status_code == 405
    assert content(browser().get(url, headers={"Range": "bytes=1-2"})) == DATA[1:3]
    assert str(other.pk) not in url
    assert AuditEntry.objects.get(action="artefact.link").detail == {"seconds": 3600}


def test_a_link_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    artefact = sent(world)
    url = linked(world, artefact, seconds=60)
    now = downloads.time.time()

    monkeypatch.setattr(downloads.time, "time", lambda: now + 61)

    response = browser().get(url)
    assert response.status_code == 410
    assert b"expired" in response.content


def test_a_link_that_was_altered_opens_nothing(world: World, settings: Settings) -> None:
    url = linked(world, sent(world))
    head, _, word = url.rstrip("/").rpartition("/")
    value, when, signature = word.split(":")
    strangers = [
        f"{value}:{when}:{signature[:-1]}{'A' if signature[-1] != 'A' else 'B'}",
        f"{value[:-2]}AA:{when}:{signature}",
        f"{value}:{when[:-1]}z:{signature}",
        downloads.signing.dumps([world.org.pk, str(Artefact.objects.get().pk), 2**40], salt="other"),
        word[:-1], "x", "a:b:c", ":::", "%00", "x" * 3_000,
    ]  # fmt: skip

    for stranger in strangers:
        assert browser().get(f"{head}/{stranger}/").status_code == 404, stranger


def test_a_link_is_of_one_organisation(world: World) -> None:
    artefact = sent(world)
    Artefact.objects.update(org=world.rival)

    word, _ = downloads.signed(artefact, 60)

    assert browser().get(f"/artefacts/{word}/").status_code == 404
    Org.objects.filter(pk=world.rival.pk).delete()
    assert browser().get(f"/artefacts/{word}/").status_code == 404


@pytest.mark.parametrize("seconds", [0, -1, 604_801, 1.5, "60", None, 10**30])
def test_a_link_has_a_time_within_bounds(world: World, seconds: Any) -> None:
    artefact = sent(world)
    assert_refused(api(world.operator).post(f"{ARTEFACTS}{artefact.pk}/links/", {"seconds": seconds}))
