"""Cancelling and replaying from the pages."""

from typing import Any

import pytest
from django.test import Client

from jobs.models import Job, Lease
from orgs.models import AuditEntry, User
from tests.conftest import World
from tests.factories import browser, claim_all, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db


def post(user: User, path: str, **data: Any) -> tuple[Client, Any]:
    client = browser(user)
    return client, client.post(path, data)


def said(client: Client, response: Any) -> str:
    return read(client.get(response["Location"])).one("ul", css="messages").text


def test_cancelling_a_waiting_job_ends_it_with_the_reason(world: World) -> None:
    job = make_job(world.org)

    client, response = post(world.operator, f"/jobs/{job.pk}/cancellation/", reason="sent twice")

    page = read(client.get(response["Location"]))
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert "sent twice" in page.one("ol", css="timeline").text
    assert Job.objects.get(pk=job.pk).status == "cancelled"
    assert AuditEntry.objects.get(action="job.cancel").detail["reason"] == "sent twice"


def test_cancelling_a_running_job_asks_its_worker(world: World) -> None:
    job = make_job(world.org)
    claim_all()

    client, response = post(world.operator, f"/jobs/{job.pk}/cancellation/")

    assert "being told to stop" in said(client, response)
    assert Lease.objects.get(pk=job.pk).cancel_requested


def test_cancelling_an_ended_job_says_that_it_has_ended(world: World) -> None:
    job = make_done(world.org)

    client, response = post(world.operator, f"/jobs/{job.pk}/cancellation/")

    assert "Not cancelled. The job is done." in said(client, response)


def test_replaying_queues_the_job_again(world: World) -> None:
    job = make_dead_letter(world.org)

    client, response = post(world.operator, f"/jobs/{job.pk}/replay/")

    assert "Replayed" in said(client, response)
    assert Job.objects.get(pk=job.pk).status == "queued"


def test_replaying_takes_a_reason_and_needs_none(world: World) -> None:
    one, *others = (make_dead_letter(world.org) for _ in range(3))
    chosen = [str(job.pk) for job in others]

    post(world.operator, f"/jobs/{one.pk}/replay/", reason="the bank is back")
    post(world.operator, "/jobs/replays/", job=chosen, replay_reason="the mail is back")

    entries = AuditEntry.objects.filter(action="job.replay").order_by("id")
    assert [entry.detail["reason"] for entry in entries] == ["the bank is back", "the mail is back"]
    assert [entry.detail["jobs"] for entry in entries] == [[str(one.pk)], chosen]


def test_the_reason_of_a_replay_is_asked_for_where_it_does_not_stand_in_the_way(world: World) -> None:
    job = make_dead_letter(world.org)
    page = read(browser(world.operator).get(f"/jobs/{job.pk}/"))
    plain, because, _edited = page.all("form", action=f"/jobs/{job.pk}/replay/")

    assert [field.attributes["name"] for field in plain.all("input")] == ["csrfmiddlewaretoken"]
    assert "reason" in [field.attributes["name"] for field in because.all("input")]
    row = read(browser(world.operator).get("/dead-letters/"))
    assert row.one("input", name="replay_reason")


def test_replaying_what_has_not_failed_says_so(world: World) -> None:
    job = make_done(world.org)

    client, response = post(world.operator, f"/jobs/{job.pk}/replay/")

    assert "Not replayed. The job is done." in said(client, response)


def test_replaying_with_another_payload_keeps_the_old_one_in_the_trail(world: World) -> None:
    job = make_dead_letter(world.org)
    edited = {"task": "demo.add", "kwargs": {"a": 1, "b": 40}}

    said = {"payload": '{"task": "demo.add", "kwargs": {"a": 1, "b": 40}}', "reason": "b was too small"}
    post(world.operator, f"/jobs/{job.pk}/replay/", **said)

    assert Job.objects.get(pk=job.pk).payload == edited
    detail = AuditEntry.objects.get(action="job.replay").detail
    assert detail["reason"] == "b was too small"
    assert (detail["old"]["payload"], detail["new"]["payload"]) == (job.payload, edited)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "Expecting property name"),
        ("[]", "a payload is a JSON object"),
        ("{}", "/task: This field is required."),
        ('{"task": "demo.add", "kwargs": {"a": "x", "b": 1}}', "/kwargs/a"),
        ('{"task": "no.such"}', "/task: There is no task"),
        ('{"a": NaN}', "NaN"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": "' + "x" * 20_000 + '"}', "bytes"),
    ],
)
def test_a_payload_that_does_not_fit_is_shown_again_with_what_is_wrong(world: World, text: str, fault: str) -> None:
    job = make_dead_letter(world.org)

    _, response = post(world.operator, f"/jobs/{job.pk}/replay/", payload=text)

    page = read(response)
    assert response.status_code == 400
    assert page.by_id("payload").raw == text
    assert fault in page.by_id("payload-faults").text
    assert Job.objects.get(pk=job.pk).status == "failed"


def test_ticked_jobs_are_cancelled_each_on_its_own(world: World) -> None:
    running, waiting, done = make_job(world.org, queue="a"), make_job(world.org, queue="b"), make_done(world.org)
    claim_all("a")
    foreign = make_job(world.rival)

    client, response = post(
        world.operator,
        "/jobs/cancellations/",
        job=[running.pk, waiting.pk, done.pk, foreign.pk],
        next="/jobs/?queue=a",
    )

    assert response["Location"] == "/jobs/?queue=a"
    assert "1 cancelled. 1 being stopped. 2 had ended already." in said(client, response)
    assert Job.objects.get(pk=foreign.pk).status == "queued"


def test_ticked_dead_letters_are_replayed_and_others_left(world: World) -> None:
    dead, done, foreign = make_dead_letter(world.org), make_done(world.org), make_dead_letter(world.rival)

    client, response = post(world.operator, "/jobs/replays/", job=[dead.pk, done.pk, foreign.pk])

    assert "1 replayed. 2 left alone" in said(client, response)
    assert Job.objects.get(pk=dead.pk).status == "queued"
    assert Job.objects.get(pk=foreign.pk).status == "failed"


def test_nothing_ticked_says_so(world: World) -> None:
    client, response = post(world.operator, "/jobs/replays/")

    assert "Nothing was selected." in said(client, response)


@pytest.mark.parametrize("ids", [["nonsense"], ["1"], ["01900000-0000-7000-8000-000000000000"] * 201])
def test_ids_that_are_none_are_refused(world: World, ids: list[str]) -> None:
    _, response = post(world.operator, "/jobs/cancellations/", job=ids)

    assert response.status_code == 400


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_a_form_leads_back_to_us_only(world: World, place: str) -> None:
    _, response = post(world.operator, "/jobs/replays/", next=place)

    assert response["Location"] == "/jobs/"
