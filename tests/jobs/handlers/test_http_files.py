"""An artefact as the body of an http job's request, and its response as an artefact."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from pytest_django.fixtures import Settings

from jobs.models import Artefact, Job
from jobs.queue.artefacts import send
from jobs.queue.finish import Ended, finish
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api, claim_all
from tests.jobs.api.refusals import assert_refused
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.handlers.server import Server

pytestmark = pytest.mark.django_db

DATA = bytes(range(256)) * 4_000


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.WORK_ROOT = str(tmp_path / "work")
    return tmp_path


@pytest.fixture
def artefact(world: World, tmp_path: Path) -> Artefact:
    (tmp_path / "data").write_bytes(DATA)
    with (tmp_path / "data").open("rb") as source:
        scope = Scope(world.operator, world.org, Role.OPERATOR)
        return send(source, name="data.bin", content_type="image/x-data", scope=scope)


def done(world: World, **payload: Any) -> Ended:
    """The end of one attempt; nothing is left in the folder of folders."""
    response = api(world.operator).post("/api/v1/jobs/", {"type": "http", "payload": payload, "max_attempts": 1})
    assert response.status_code == 201, response.content
    (end,) = [make_attempt(claimed).run() for claimed in claim_all()]
    assert finish([end], worker_name="tester-1")
    assert os.listdir(settings.WORK_ROOT) == []
    return end


def test_a_file_is_sent_as_the_body(world: World, server: Server, artefact: Artefact) -> None:
    url = server.on("/in", 201)

    end = done(world, url=url, method="PUT", body_artefact=str(artefact.pk))

    assert end.outcome == Outcome.DONE, end.error
    (asked,) = server.asked
    assert asked.body == DATA
    assert asked.headers["Content-Length"] == str(len(DATA))
    assert asked.headers["Content-Type"] == "image/x-data"
    assert "Transfer-Encoding" not in asked.headers


def test_a_redirect_gets_the_file_again_or_nothing(world: World, server: Server, artefact: Artefact) -> None:
    server.on("/there", 200)
    again = server.on("/307", 307, headers={"Location": "/there"})
    nothing = server.on("/303", 303, headers={"Location": "/there"})

    done(world, url=again, method="POST", body_artefact=str(artefact.pk))
    done(world, url=nothing, method="POST", body_artefact=str(artefact.pk))

    first, second = server.asked[1], server.asked[3]
    assert (first.method, first.body) == ("POST", DATA)
    assert (second.method, second.body) == ("GET", b"")
    assert "Content-Length" not in second.headers
    assert "Content-Type" not in second.headers


def test_the_response_becomes_a_file(world: World, server: Server) -> None:
    url = server.on("/out", body=DATA, headers={"Content-Type": "Text/HTML; charset=utf-8"})

    end = done(world, url=url, save_as="report.html")

    made = Artefact.objects.get()
    assert end.result["artefact"] == {
        "id": str(made.pk), "name": "report.html", "content_type": "text/html", "size_bytes": len(DATA),
    }  # fmt: skip
    assert (end.result["status"], end.result["body"], end.result["truncated"]) == (200, "", False)
    assert made.sha256 == hashlib.sha256(DATA).hexdigest()
    assert made.job_id == Job.objects.get().pk
    with default_storage.open(str(made.file.name)) as kept:
        assert kept.read() == DATA


def test_the_response_of_one_job_is_the_body_of_the_next(world: World, server: Server) -> None:
    out, into = server.on("/out", body=DATA), server.on("/in")

    end = done(world, url=out, save_as="data")
    done(world, url=into, method="POST", body_artefact=end.result["artefact"]["id"])

    assert server.asked[1].body == DATA


def test_only_the_last_response_is_kept(world: World, server: Server) -> None:
    server.on("/there", body=b"short")
    url = server.on("/from", 302, b"much longer than the other", {"Location": "/there"})

    done(world, url=url, save_as="x")

    with default_storage.open(str(Artefact.objects.get().file.name)) as kept:
        assert kept.read() == b"short"


def test_what_was_not_expected_is_shown_and_no_file(world: World, server: Server, settings: Settings) -> None:
    settings.HTTP_BODY_MAX_BYTES = 10
    url = server.on("/out", 404, b"nothing here, really")

    end = done(world, url=url, save_as="x")

    assert (end.outcome, end.error_type) == (Outcome.ERROR, "HttpStatus")
    assert (end.result["body"], end.result["truncated"]) == ("nothing he", True)
    assert not Artefact.objects.exists()


def test_a_response_beyond_what_a_file_may_have_is_final(world: World, server: Server, settings: Settings) -> None:
    settings.ARTEFACT_FILE_MAX_BYTES = 1_000
    url = server.do("/out", lambda exchange: endless(exchange))

    end = done(world, url=url, save_as="x")

    assert (end.error_type, end.permanent) == ("ResponseTooLarge", True)
    assert not Artefact.objects.exists()
    assert not default_storage.exists(str(world.org.pk))


def endless(exchange: Any) -> None:
    exchange.send_response(200)
    exchange.end_headers()
    exchange.drip(b"x" * 500, 0)


def test_an_organisation_without_room_is_told_so_for_good(world: World, server: Server, settings: Settings) -> None:
    settings.ARTEFACT_ORG_MAX_BYTES = len(DATA) - 1
    url = server.on("/out", body=DATA)

    end = done(world, url=url, save_as="x")

    assert (end.error_type, end.permanent) == ("PermanentFailure", True)
    assert "no room left" in end.error
    assert not Artefact.objects.exists()


@pytest.mark.parametrize("trouble", ["expired", "deleted", "rival's", "altered", "lost"])
def test_a_file_that_cannot_be_had_is_final(
    world: World, server: Server, artefact: Artefact, folders: Path, trouble: str
) -> None:
    url, artefact_id = server.on("/in"), str(artefact.pk)
    (file,) = [path for path in (folders / "media").rglob("*") if path.is_file()]
    response = api(world.operator).post(
        "/api/v1/jobs/", {"type": "http", "payload": {"url": url, "method": "PUT", "body_artefact": artefact_id}}
    )
    assert response.status_code == 201
    match trouble:
        case "expired":
            Artefact.objects.update(expires_at="2020-01-01T00:00:00Z")
        case "deleted":
            Artefact.objects.all().delete()
        case "rival's":
            Artefact.objects.update(org=world.rival)
        case "altered":
            file.write_bytes(DATA[:-1] + b"x")
        case "lost":
            file.unlink()

    (end,) = [make_attempt(claimed).run() for claimed in claim_all()]

    assert (end.error_type, end.permanent) == ("PermanentFailure", True)
    assert artefact_id in end.error
    assert server.asked == []


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"body_artefact": "nonsense"}, "/payload/body_artefact"),
        ({"body_artefact": "../../etc/passwd"}, "/payload/body_artefact"),
        ({"body_artefact": "01900000-0000-7000-8000-000000000001\n"}, "/payload/body_artefact"),
        ({"body_artefact": "01900000-0000-7000-8000-000000000001", "body": "x"}, "/payload/body_artefact"),
        *(
            ({"save_as": name}, "/payload/save_as")
            for name in ("", "..", "../x", "/x", "a/b", "a\\b", "CON", "x.", "a\n", "\u202ex", "x" * 121, "%2e%2e")
        ),
    ],
    ids=ascii,
)
def test_what_is_no_file_is_refused_at_submit(
    world: World, server: Server, payload: dict[str, Any], pointer: str
) -> None:
    body = {"type": "http", "payload": {"url": server.url, "method": "POST", **payload}}

    problem = assert_refused(api(world.operator).post("/api/v1/jobs/", body))

    assert pointer in [error["pointer"] for error in problem["errors"]]
