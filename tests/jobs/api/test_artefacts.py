"""Files over REST: sent whole or not at all."""

import base64
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import Artefact
from jobs.queue.artefacts import send
from orgs.models import AuditEntry
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api
from tests.jobs.api.files import ARTEFACTS, DATA, content, get, post, sent, stored
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


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

    problem = assert_refused(post(world, DATA + b"x"), 403)
    assert problem["type"] == "urn:smartqueue:problem:org_quota_exceeded"
    assert str(3 * len(DATA)) in problem["detail"]
    sent(world)
    assert_refused(post(world, b"x"), 403)

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
