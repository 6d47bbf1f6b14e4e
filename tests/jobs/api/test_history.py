"""What happened to a job: attempts, moves, log lines, files."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.api.paging import written
from jobs.models import Artefact, Attempt, Job, LogLine
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_done, make_job

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"


# --- Attempts ---------------------------------------------------------------------------------------------------


def test_every_attempt_is_listed_the_running_one_last(world: World) -> None:
    job = make_job(world.org, max_attempts=3)
    (first,) = claim_all()
    assert finish_one(first, Outcome.ERROR, error_type="ValueError", error="broken")
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now())
    api(world.operator).post(f"{JOBS}{job.pk}/cancellation/", {})
    running = make_job(world.org)
    claim_all()

    ended = api(world.viewer).get(f"{JOBS}{job.pk}/attempts/").json()["items"]
    (live,) = api(world.viewer).get(f"{JOBS}{running.pk}/attempts/").json()["items"]

    (attempt,) = ended
    assert (attempt["number"], attempt["outcome"], attempt["worker"]) == (1, "error", "tester-1")
    assert (attempt["error_type"], attempt["error"]) == ("ValueError", "broken")
    assert attempt["ended_at"] > attempt["started_at"]
    assert attempt["runtime_ms"] > 0
    assert (live["number"], live["outcome"], live["ended_at"], live["runtime_ms"]) == (1, None, None, None)
    assert live["predicted_ms"] > 0


def test_attempts_are_paged_in_order(world: World) -> None:
    job = make_done(world.org)
    (first,) = Attempt.objects.all()
    for number in range(2, 8):
        first.pk, first.number = None, number
        first.save(force_insert=True)
    client = api(world.viewer)

    pages = list(every_page(client, f"{JOBS}{job.pk}/attempts/", limit=3))

    assert [[item["number"] for item in page] for page in pages] == [[1, 2, 3], [4, 5, 6], [7]]


def every_page(client: Any, path: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
    body = client.get(path, query).json()
    yield body["items"]
    while body["next_cursor"]:
        body = client.get(path, {**query, "cursor": body["next_cursor"]}).json()
        yield body["items"]


# --- Moves ------------------------------------------------------------------------------------------------------


def test_every_move_is_listed_with_its_actor(world: World) -> None:
    job = make_job(world.org, user=world.operator)
    (claimed,) = claim_all()
    assert finish_one(claimed)

    items = api(world.viewer).get(f"{JOBS}{job.pk}/transitions/").json()["items"]

    assert [(item["from_status"], item["to_status"], item["actor"]) for item in items] == [
        (None, "queued", "user:operator"),
        ("queued", "running", "worker:tester-1"),
        ("running", "done", "worker:tester-1"),
    ]
    assert [item["id"] for item in items] == sorted(item["id"] for item in items)


# --- Logs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(world: World) -> Job:
    """A job with five lines in its first attempt and two in its second, written out of order."""
    job = make_done(world.org)
    for attempt, sequence in [(2, 1), (1, 4), (1, 0), (2, 0), (1, 2), (1, 1), (1, 3)]:
        text = f"\x1b[31m<b>{attempt}.{sequence}</b>"
        LogLine.objects.create(
            job_id=job.pk, attempt=attempt, sequence=sequence, stream="stdout", text=text, at=timezone.now()
        )
    return job


def test_lines_come_in_the_order_they_were_written(world: World, logged: Job) -> None:
    pages = list(every_page(api(world.viewer), f"{JOBS}{logged.pk}/logs/", limit=3))

    assert [[(line["attempt"], line["sequence"]) for line in page] for page in pages] == [
        [(1, 0), (1, 1), (1, 2)],
        [(1, 3), (1, 4), (2, 0)],
        [(2, 1)],
    ]
    assert pages[0][0]["text"] == "\x1b[31m<b>1.0</b>"
    assert pages[0][0]["stream"] == "stdout"


def test_a_log_is_followed_from_the_last_line_seen(world: World, logged: Job) -> None:
    client, address = api(world.viewer), f"{JOBS}{logged.pk}/logs/"

    lines = client.get(address, {"attempt": 1, "after": 2}).json()["items"]
    none = client.get(address, {"attempt": 1, "after": 4}).json()

    assert [line["sequence"] for line in lines] == [3, 4]
    assert none == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query", [{"after": 2}, {"attempt": 0}, {"attempt": 2**31}, {"attempt": 1, "after": -1}, {"cursor": "W10"}]
)
def test_a_log_is_asked_for_properly(world: World, logged: Job, query: dict[str, Any]) -> None:
    assert api(world.viewer).get(f"{JOBS}{logged.pk}/logs/", query).status_code == 400


@pytest.mark.parametrize("values", [[10**30, 1], [1, 2**40], [True, 1], [1.5, 1], [None, 1], ["x", 1], [[], 1]])
def test_a_cursor_with_values_no_column_holds_is_refused(world: World, logged: Job, values: list[Any]) -> None:
    response = api(world.viewer).get(f"{JOBS}{logged.pk}/logs/", {"cursor": written(values)})

    assert response.status_code == 400


# --- Files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path)
    return tmp_path


def keep(job: Job, name: str, data: bytes, content_type: str) -> Artefact:
    artefact = Artefact(
        org=job.org,
        job_id=job.pk,
        attempt=1,
        name=name,
        content_type=content_type,
        size_bytes=len(data),
        sha256=sha256(data).hexdigest(),
    )
    artefact.file.name = default_storage.save(f"{artefact.pk}", ContentFile(data))
    artefact.save()
    return artefact


def test_files_are_listed(world: World, files: Path) -> None:
    job = make_done(world.org)
    artefact = keep(job, "sum.csv", b"a,b\n", "text/csv")

    (item,) = api(world.viewer).get(f"{JOBS}{job.pk}/artefacts/").json()["items"]

    assert (item["name"], item["size_bytes"], item["attempt"]) == ("sum.csv", 4, 1)
    assert item["sha256"] == sha256(b"a,b\n").hexdigest()
    assert item["url"] == f"{JOBS}{job.pk}/artefacts/{artefact.pk}/"


@pytest.mark.parametrize("accept", ["*/*", "text/csv", "application/json"])
def test_a_file_is_downloaded_and_never_shown(world: World, files: Path, accept: str) -> None:
    job = make_done(world.org)
    artefact = keep(job, "<script>alert(1)</script>.html", b"<script>alert(1)</script>", "text/html; charset=utf-8")

    response = api(world.viewer).get(f"{JOBS}{job.pk}/artefacts/{artefact.pk}/", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.getvalue() == b"<script>alert(1)</script>"
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment")
    assert response["Content-Length"] == "25"


@pytest.mark.parametrize("content_type", ["text/csv\r\nSet-Cookie: a=b", "", "nonsense", "text/html; x=<"])
def test_a_content_type_that_is_none_is_not_sent(world: World, files: Path, content_type: str) -> None:
    job = make_done(world.org)
    artefact = keep(job, "x", b"x", content_type)

    response = api(world.viewer).get(f"{JOBS}{job.pk}/artefacts/{artefact.pk}/")
    response.close()

    assert response["Content-Type"] == "application/octet-stream"


def test_a_file_is_found_only_below_its_own_job_and_organisation(world: World, files: Path) -> None:
    job, other = make_done(world.org), make_done(world.org)
    theirs = make_done(world.rival)
    artefact, foreign = keep(job, "a", b"a", "text/csv"), keep(theirs, "b", b"b", "text/csv")
    client = api(world.viewer)

    for path in (
        f"{JOBS}{other.pk}/artefacts/{artefact.pk}/",
        f"{JOBS}{job.pk}/artefacts/{foreign.pk}/",
        f"{JOBS}{theirs.pk}/artefacts/{foreign.pk}/",
        f"{JOBS}{job.pk}/artefacts/nonsense/",
    ):
        assert client.get(path).status_code == 404


def test_a_file_that_is_gone_is_a_404(world: World, files: Path) -> None:
    job = make_done(world.org)
    artefact = keep(job, "a", b"a", "text/csv")
    (files / str(artefact.file.name)).unlink()

    assert api(world.viewer).get(f"{JOBS}{job.pk}/artefacts/{artefact.pk}/").status_code == 404
