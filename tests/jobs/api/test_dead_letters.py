"""Dead letters: look through them, send them back."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Job, Ready
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

DEAD = "/api/v1/dead-letters/"
REPLAY = "/api/v1/jobs/replay/"


def found(world: World, **query: Any) -> list[str]:
    response = api(world.viewer).get(DEAD, query)
    assert response.status_code == 200, response.json()
    return [item["id"] for item in response.json()["items"]]


def test_a_dead_letter_says_why_how_often_and_when(world: World) -> None:
    job = make_dead_letter(world.org)
    make_done(world.org)
    make_dead_letter(world.rival)

    (item,) = api(world.viewer).get(DEAD).json()["items"]

    assert (item["id"], item["status"], item["reason"]) == (str(job.pk), "failed", "ValueError: broken")
    assert item["attempts"] == 1
    assert item["failed_at"] == item["finished_at"]


def test_the_latest_comes_first_and_pages_hold(world: World) -> None:
    dead = [str(make_dead_letter(world.org).pk) for _ in range(5)]
    Job.objects.filter(pk__in=dead[:3]).update(finished_at=Job.objects.get(pk=dead[4]).finished_at)
    client = api(world.viewer)

    pages, query = [], {"limit": 2}
    while True:
        body = client.get(DEAD, query).json()
        pages.append([item["id"] for item in body["items"]])
        if body["next_cursor"] is None:
            break
        query = {"limit": 2, "cursor": body["next_cursor"]}

    assert pages == [[dead[4], dead[2]], [dead[1], dead[0]], [dead[3]]]


def test_dead_letters_are_filtered(world: World) -> None:
    mail = make_dead_letter(world.org, queue="mail", title="Invoice")
    other = make_dead_letter(world.org)
    Job.objects.filter(pk=other.pk).update(error_type="Timeout", error="slow")

    assert found(world, queue="mail") == found(world, q="invoice") == [str(mail.pk)]
    assert found(world, error_type="Timeout") == found(world, q="slow") == [str(other.pk)]
    assert found(world, type="shell") == []


def test_dead_letters_are_found_by_time(world: World) -> None:
    job = make_dead_letter(world.org)
    assert job.finished_at is not None
    before, after = job.finished_at - timedelta(seconds=1), job.finished_at + timedelta(seconds=1)

    assert found(world, failed_after=before.isoformat(), failed_before=after.isoformat()) == [str(job.pk)]
    assert found(world, failed_after=after.isoformat()) == found(world, failed_before=before.isoformat()) == []


@pytest.mark.parametrize("query", [{"status": "done"}, {"sort": "name"}, {"failed_after": "yesterday"}, {"limit": 0}])
def test_other_parameters_are_refused(world: World, query: dict[str, Any]) -> None:
    assert api(world.viewer).get(DEAD, query).status_code == 400


# --- Send back --------------------------------------------------------------------------------------------------


def test_chosen_ones_are_sent_back_and_others_passed_over(world: World) -> None:
    chosen, left = make_dead_letter(world.org), make_dead_letter(world.org)
    theirs, done = make_dead_letter(world.rival), make_done(world.org)

    response = api(world.operator).post(
        REPLAY, {"ids": [str(chosen.pk), str(theirs.pk), str(done.pk), str(uuid4()), str(chosen.pk)]}
    )

    assert (response.status_code, response.json()) == (200, {"replayed": 1, "refused": 0, "more": False})
    statuses = {job.pk: job.status for job in Job.objects.all()}
    assert statuses == {chosen.pk: "queued", left.pk: "failed", theirs.pk: "failed", done.pk: "done"}
    assert AuditEntry.objects.get(action="job.replay").detail["jobs"] == [str(chosen.pk)]


def test_all_that_match_are_sent_back(world: World) -> None:
    mail = [make_dead_letter(world.org, queue="mail") for _ in range(3)]
    kept = make_dead_letter(world.org)
    theirs = make_dead_letter(world.rival, queue="mail")

    body = api(world.operator).post(REPLAY, {"filter": {"queue": "mail"}}).json()

    assert body == {"replayed": 3, "refused": 0, "more": False}
    assert set(Ready.objects.values_list("job_id", flat=True)) == {job.pk for job in mail}
    assert Job.objects.get(pk=kept.pk).status == Job.objects.get(pk=theirs.pk).status == "failed"


def test_an_empty_filter_means_every_one_in_bounded_batches(
    world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    for _ in range(7):
        make_dead_letter(world.org)
    monkeypatch.setattr("jobs.queue.control.REPLAY_BATCH", 2)
    settings.REPLAY_MAX_JOBS = 5
    client = api(world.operator)

    first = client.post(REPLAY, {"filter": {}}).json()
    second = client.post(REPLAY, {"filter": {}}).json()
    third = client.post(REPLAY, {"filter": {}}).json()

    assert first == {"replayed": 5, "refused": 0, "more": True}
    assert second == {"replayed": 2, "refused": 0, "more": False}
    assert third == {"replayed": 0, "refused": 0, "more": False}
    assert [len(entry.detail["jobs"]) for entry in AuditEntry.objects.order_by("pk")] == [2, 2, 1, 2]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"ids": [], "filter": {}}, "/ids"),
        ({"ids": [str(uuid4())], "filter": {}}, ""),
        ({"ids": []}, "/ids"),
        ({"ids": "all"}, "/ids"),
        ({"ids": [str(uuid4()), "nonsense"]}, "/ids/1"),
        ({"ids": [None]}, "/ids/0"),
        ({"ids": [str(uuid4())] * 1001}, "/ids"),
        ({"filter": []}, "/filter"),
        ({"filter": {"status": "failed"}}, "/filter/status"),
        ({"filter": {"queue": 1}}, "/filter/queue"),
        ({"filter": {"failed_after": "infinity"}}, "/filter/failed_after"),
        ({"filter": None}, "/filter"),
    ],
)
def test_what_names_no_dead_letters_is_refused(world: World, body: Any, pointer: str) -> None:
    job = make_dead_letter(world.org)

    response = api(world.operator).post(REPLAY, body)

    assert response.status_code == 400
    assert pointer in {error["pointer"] for error in response.json()["errors"]}
    job.refresh_from_db()
    assert job.status == "failed"


def test_a_job_that_waits_is_not_among_them(world: World) -> None:
    make_job(world.org)

    assert found(world) == []
