"""What own workers report: lines, progress, files; and that bodies are read strictly."""

import json
from typing import Any

import pytest
from django.core.files.storage import default_storage
from pytest_django.fixtures import Settings

from jobs.models import Artefact, LogLine
from tests.conftest import World
from tests.factories import api
from tests.jobs.api.own import Own, make_external, state
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


def lines() -> list[tuple[int, str, str]]:
    return list(LogLine.objects.order_by("sequence").values_list("sequence", "stream", "text"))


def test_lines_follow_each_other_and_are_seen_on_the_job(world: World, own: Own) -> None:
    made = make_external(world.org)
    job = own.one()

    assert own.say(job, "log", {"lines": [{"text": "one"}, {"text": "two", "stream": "stderr"}]}).json() == {"last": 2}
    assert own.say(job, "log", {"lines": [{"text": "three\nfour"}]}).json() == {"last": 4}

    assert lines() == [(1, "log", "one"), (2, "stderr", "two"), (3, "log", "three"), (4, "log", "four")]
    seen = api(world.viewer).get(f"/api/v1/jobs/{made.pk}/logs/").json()["items"]
    assert [line["text"] for line in seen] == ["one", "two", "three", "four"]


def test_numbered_lines_are_kept_once(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    sent = {"first": 1, "lines": [{"text": "one"}, {"text": "two"}]}
    assert own.say(job, "log", sent).json() == {"last": 2}

    assert own.say(job, "log", sent).json() == {"last": 2}
    assert own.say(job, "log", {"first": 3, "lines": [{"text": "three"}]}).json() == {"last": 3}

    assert [text for _, _, text in lines()] == ["one", "two", "three"]


def test_progress_is_seen_on_the_job(world: World, own: Own) -> None:
    made = make_external(world.org)
    own.say(own.one(), "log", {"progress": 0.25, "message": "a quarter"})

    shown = api(world.viewer).get(f"/api/v1/jobs/{made.pk}/").json()

    assert (shown["progress"], shown["progress_message"]) == (0.25, "a quarter")


def test_lines_beyond_the_limit_are_dropped_with_a_word(world: World, own: Own, settings: Settings) -> None:
    settings.LOG_MAX_LINES, settings.LOG_LINE_MAX_CHARACTERS = 3, 80
    make_external(world.org)
    job = own.one()

    own.say(job, "log", {"lines": [{"text": "x" * 100}, {"text": "2"}]})
    own.say(job, "log", {"lines": [{"text": "3"}, {"text": "4"}]})

    assert [text for _, _, text in lines()] == ["x" * 80, "2", "… more than 3 lines; the rest is dropped."]


@pytest.fixture
def files(settings: Settings, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


@pytest.mark.usefixtures("files")
def test_a_file_is_kept_as_it_is(world: World, own: Own) -> None:
    made = make_external(world.org)
    data = bytes(range(256)) * 10

    response = own.upload(own.one(), "cat.png", data, "image/png")

    assert response.status_code == 201
    assert response.json()["size_bytes"] == len(data)
    kept = Artefact.objects.get()
    assert (kept.job_id, kept.attempt, kept.name, kept.content_type) == (made.pk, 1, "cat.png", "image/png")
    with default_storage.open(str(kept.file.name)) as stored:
        assert stored.read() == data


@pytest.mark.usefixtures("files")
def test_a_file_sent_twice_is_kept_once_and_another_of_its_name_refused(world: World, own: Own) -> None:
    make_external(world.org)
    job = own.one()
    first = own.upload(job, "a.txt", b"one")

    again, other = own.upload(job, "a.txt", b"one"), own.upload(job, "a.txt", b"two")

    assert (again.status_code, again.json()) == (200, first.json())
    assert assert_refused(other, 409)["type"] == "urn:smartqueue:problem:name_taken"
    assert Artefact.objects.count() == 1


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("name", "data", "status"),
    [("../etc/passwd", b"x", 400), ("", b"x", 400), ("a%00b", b"x", 400), ("big", b"x" * 11, 413),
     ("ok", b"x" * 10, 201)],
)  # fmt: skip
def test_files_have_a_plain_name_and_a_bound(
    world: World, own: Own, settings: Settings, name: str, data: bytes, status: int
) -> None:
    settings.ARTEFACT_MAX_BYTES = 10
    make_external(world.org)

    assert own.upload(own.one(), name, data).status_code == status


def test_a_body_is_read_strictly(world: World, own: Own) -> None:
    for asked in (
        {},
        {"worker": "w", "queues": []},
        {"worker": "w", "queues": ["UPPER"]},
        {"worker": "w x", "queues": ["a"]},
        {"worker": "w", "queues": ["a"] * 21},
        {"worker": "w", "queues": ["a"], "slots": 0},
        {"worker": "w", "queues": ["a"], "slots": 21},
        {"worker": "w", "queues": ["a"], "slots": "1"},
        {"worker": "w", "queues": ["a"], "wait_seconds": 21},
        {"worker": "w", "queues": ["a"], "lease_seconds": 1},
        {"worker": "w", "queues": ["a"], "lease_seconds": 301},
        {"worker": "w", "queues": ["a"], "holding": "x"},
        {"worker": "w", "queues": ["a"], "org": "rival"},
    ):
        assert_refused(own.client.generic("POST", "/api/v1/worker/claims/", json.dumps(asked), "application/json"))
    make_external(world.org)
    job = own.one()
    for word, body in (
        ("finish", {"result": 1, "x": 1}), ("failure", {}), ("failure", {"error": 1}),
        ("failure", {"error": "x", "retry_after_seconds": -1}), ("failure", {"error": "x", "permanent": "no"}),
        ("log", {"lines": [{"text": 1}]}), ("log", {"lines": [{"stream": "stdin", "text": "x"}]}),
        ("log", {"lines": [{"text": "x"}] * 1001}), ("log", {"first": 0}), ("log", {"progress": 2}),
        ("release", {"x": 1}), ("renewal", {"lease_seconds": 301}),
    ):  # fmt: skip
        assert_refused(own.say(job, word, body))
    assert state(job["job_id"]) == "running"
