"""Files over REST: sent whole or not at all, downloaded whole or in part, linked to, deleted."""

import base64
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from pytest_django.fixtures import Settings

from jobs import downloads
from jobs.models import Artefact
from jobs.queue.artefacts import send
from orgs.models import AuditEntry, Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api, browser, make_job
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db

ARTEFACTS = "/api/v1/artefacts/"
DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def storage(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def post(world: World, data: bytes = DATA, query: str = "?name=data.bin", **headers: str) -> HttpResponse:
    kind = headers.pop("content_type", "text/csv")
    client = api(world.operator)
    found: HttpResponse = client.generic("POST", f"{ARTEFACTS}{query}", data, content_type=kind, headers=headers)
    return found


def sent(world: World, data: bytes = DATA, name: str = "data.bin", kind: str = "text/csv") -> Artefact:
    response = post(world, data, f"?name={name}", content_type=kind)
    assert response.status_code == 201, response.content
    return Artefact.objects.get(pk=response.json()["id"])


def stored(storage: Path) -> list[Path]:
    return [path for path in storage.rglob("*") if path.is_file()]


def content(response: HttpResponseBase) -> bytes:
    return b"".join(response)


def get(world: World, artefact: Artefact, **headers: str) -> HttpResponse:
    found: HttpResponse = api(world.viewer).get(f"{ARTEFACTS}{artefact.pk}/content/", headers=headers)
    return found


# --- sending --------------------------------------------------------------------------------------------------------


def test_a_file_is_kept_and_told_about(world: World, storage: Path) -> None:
    response = post(world)

    told = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{ARTEFACTS}{told['id']}/"
    assert (told["name"], told["content_type"], told["size_bytes"]) == ("data.bin", "text/csv", len(DATA))
    assert told["sha256"] == sha256(DATA).hexdigest()
    assert (told["job_id"], told["attempt"], told["created_by"]) == (None, None, "operator")
    (file,) = stored(storage)
    assert file.read_bytes() == DATA
    artefact = Artefact.objects.get()
    assert artefact.file.name == f"{world.org.pk}/{artefact.pk.hex}"
    soon = Artefact.objects.filter(
        expires_at__gt=Now() + timedelta(days=6, hours=23), expires_at__lt=Now() + timedelta(days=7, hours=1)
    )
    assert soon.exists()
    entry = AuditEntry.objects.get(action="artefact.send")
    assert (entry.target, entry.actor_name, entry.detail["sha256"]) == (told["id"], "operator", told["sha256"])


def test_an_empty_file_is_a_file(world: World, storage: Path) -> None:
    assert post(world, b"").json()["size_bytes"] == 0
    assert content(get(world, Artefact.objects.get())) == b""


@pytest.mark.parametrize("header", ["Content-Digest", "Digest"])
def test_a_digest_is_checked(world: World, storage: Path, header: str) -> None:
    def said(data: bytes) -> str:
        digest = base64.b64encode(sha256(data).digest()).decode()
        return f"sha-512=:AAAA:, sha-256=:{digest}:" if header == "Content-Digest" else f"SHA-256={digest}"

    assert post(world, **{header: said(DATA)}).status_code == 201

    problem = assert_refused(post(world, **{header: said(b"other")}))
    assert problem["errors"][0]["pointer"] == "/Content-Digest"
    assert_refused(post(world, **{header: "sha-256=:AAAA:" if header == "Content-Digest" else "SHA-256=AAAA"}))
    assert len(stored(storage)) == Artefact.objects.count() == 1


def test_a_file_that_is_too_large_is_refused_unread(world: World, settings: Settings, storage: Path) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = len(DATA) - 1

    problem = assert_refused(post(world), 413)

    assert problem["type"] == "urn:smartqueue:problem:body_too_large"
    assert not storage.exists()
    assert not Artefact.objects.exists()


class Breaking:
    """A sender that goes away."""

    def __init__(self, error: Exception | None) -> None:
        self.pieces = [b"some"]
        self.error = error

    def read(self, size: int = -1) -> bytes:
        if self.pieces:
            return self.pieces.pop()
        if self.error:
            raise self.error
        return b""

    readline = read


@pytest.mark.parametrize("error", [None, OSError("gone"), RuntimeError("the server's own")])
def test_of_a_file_that_breaks_off_nothing_is_kept(world: World, storage: Path, error: Exception | None) -> None:
    """With a length it ends too early; without one, the server tells of it."""
    headers = (
        {"CONTENT_LENGTH": "100"} if error is None else {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    )
    extra: Any = {"wsgi.input": Breaking(error), "wsgi.input_terminated": True, **headers}

    response = api(world.operator).generic("POST", ARTEFACTS, b"", content_type="text/csv", **extra)

    assert assert_refused(response)["type"] == "urn:smartqueue:problem:cut_off"
    assert stored(storage) == []
    assert not Artefact.objects.exists()


def test_a_chunked_file_is_read_to_its_end(world: World) -> None:
    extra: Any = {
        "wsgi.input": Breaking(None), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
    }  # fmt: skip

    response = api(world.operator).generic("POST", ARTEFACTS, b"", content_type="text/csv", **extra)

    assert response.json()["size_bytes"] == 4


def test_chunks_are_refused_where_the_server_does_not_show_their_end(world: World) -> None:
    extra: Any = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
    assert_refused(api(world.operator).generic("POST", ARTEFACTS, b"x", content_type="text/csv", **extra), 411)


def test_an_organisation_has_so_much_room_and_no_more(world: World, settings: Settings, storage: Path) -> None:
    settings.ARTEFACT_ORG_MAX_BYTES = 3 * len(DATA)
    sent(world)
    sent(world)
    send(Breaking(None), name="theirs", content_type=None, scope=Scope(world.outsider, world.rival, Role.ORG_ADMIN))

    problem = assert_refused(post(world, DATA + b"x"), 409)
    assert problem["type"] == "urn:smartqueue:problem:no_room"
    assert str(3 * len(DATA)) in problem["detail"]
    sent(world)
    assert_refused(post(world, b"x"), 409)

    assert Artefact.objects.for_org(world.org).count() == 3
    assert len(stored(storage)) == 4


HOSTILE_NAMES = [
    "../x", "..", ".", "/etc/passwd", "a/b", "a\\b", "%2e%2e%2fx", "..%2fx", "a\0b", "a" * 300, "CON", "con.txt",
    "nul .csv", "LPT1", "trailing.", "trailing ", " leading", ".hidden", "-rf", "\u202egpj.exe", "a\nb", "a\r\nb: x",
    "a\"b", "a;b", "\u2028", "é.txt", "", "<script>", "$(id)", "C:x", "a:stream", "~root", "|id",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_name_that_could_lead_anywhere_is_refused(world: World, storage: Path, name: str) -> None:
    response = api(world.operator).post(f"{ARTEFACTS}?{urlencode({'name': name})}", {})

    assert_refused(response)
    assert not storage.exists()


@pytest.mark.parametrize("query", ["?name=a&name=b", "?nome=a", "?name=a&limit=1"])
def test_a_query_of_another_shape_is_refused(world: World, query: str) -> None:
    assert_refused(post(world, query=query))


def test_a_form_is_no_file(world: World, storage: Path) -> None:
    assert_refused(post(world, content_type="multipart/form-data; boundary=x"))
    assert not storage.exists()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("text/csv; charset=utf-8; header=present", "text/csv"),
        ("TEXT/HTML", "text/html"),
        ("application/x-www-form-urlencoded", "application/octet-stream"),
        ("nonsense", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("a/" + "b" * 200, "application/octet-stream"),
        ("text/html\x0b<script>", "application/octet-stream"),
    ],
)
def test_a_content_type_is_kept_where_it_is_one(world: World, said: str, kept: str) -> None:
    assert sent(world, kind=said).content_type == kept


# --- downloads ------------------------------------------------------------------------------------------------------


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
