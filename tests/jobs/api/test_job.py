"""GET /jobs/{id}/ and what can be done to a job: cancel, replay."""

from uuid import uuid4

import pytest

from jobs.models import Job, Lease, Ready
from jobs.queue.lease import report
from jobs.states import Outcome
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
ADD = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}


def path(job: Job, tail: str = "") -> str:
    return f"{JOBS}{job.pk}/{tail}"


# --- Look -------------------------------------------------------------------------------------------------------


def test_a_done_job_shows_its_result(world: World) -> None:
    body = api(world.viewer).get(path(make_done(world.org))).json()

    assert (body["status"], body["result"], body["outcome"], body["attempt"]) == ("done", 3, "done", 1)
    assert body["runtime_ms"] > 0
    assert body["payload"] == ADD


def test_a_running_job_shows_its_progress(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    report(lines=[], progress=[{"token": str(claimed.token), "progress": 0.25, "progress_message": "a quarter"}])

    body = api(world.viewer).get(path(job)).json()

    assert (body["status"], body["progress"], body["progress_message"]) == ("running", 0.25, "a quarter")
    assert (body["worker"], body["cancel_requested"], body["finished_at"]) == ("tester-1", False, None)


def test_a_failed_job_shows_why(world: World) -> None:
    body = api(world.viewer).get(path(make_dead_letter(world.org))).json()

    assert (body["status"], body["error_type"], body["error"]) == ("failed", "ValueError", "broken")


def test_malformed_unknown_and_foreign_ids_are_alike(world: World) -> None:
    theirs = make_job(world.rival)
    client = api(world.owner)
    answers = []
    for word in (theirs.pk, uuid4(), "1", "nonsense", "%00", f"{{{theirs.pk}}}", theirs.pk.hex, f"{theirs.pk}%0A", "٣"):
        for tail in ("", "attempts/", "transitions/", "logs/", "artefacts/", f"artefacts/{uuid4()}/"):
            response = client.get(f"{JOBS}{word}/{tail}")
            body = response.json()
            answers.append((response.status_code, body["type"], body["title"], body["detail"], body["errors"]))

    assert set(map(str, answers)) == {
        str((404, "urn:smartqueue:problem:not_found", "Not Found", "There is no such job.", []))
    }


def test_an_id_may_be_written_in_capitals(world: World) -> None:
    job = make_job(world.org)

    assert api(world.viewer).get(f"{JOBS}{str(job.pk).upper()}/").json()["id"] == str(job.pk)


# --- ETag -------------------------------------------------------------------------------------------------------


def test_an_unchanged_job_is_not_sent_again(world: World) -> None:
    client, job = api(world.viewer), make_job(world.org)
    etag = client.get(path(job))["ETag"]

    response = client.get(path(job), headers={"If-None-Match": etag})

    assert (response.status_code, response.content, response["ETag"]) == (304, b"", etag)


def test_the_etag_changes_with_every_move_and_progress(world: World) -> None:
    client, job = api(world.viewer), make_job(world.org)
    seen = [client.get(path(job))["ETag"]]
    (claimed,) = claim_all()
    seen.append(client.get(path(job))["ETag"])
    for share in (0.1, 0.2):
        report(lines=[], progress=[{"token": str(claimed.token), "progress": share, "progress_message": ""}])
        seen.append(client.get(path(job))["ETag"])
    api(world.operator).post(path(job, "cancellation/"), {})
    seen.append(client.get(path(job))["ETag"])
    assert finish_one(claimed, Outcome.CANCELLED)
    seen.append(client.get(path(job))["ETag"])

    assert len(set(seen)) == len(seen) == 6


def test_a_stale_etag_brings_the_job(world: World) -> None:
    client, job = api(world.viewer), make_job(world.org)
    etag = client.get(path(job))["ETag"]
    claim_all()

    response = client.get(path(job), headers={"If-None-Match": etag})

    assert (response.status_code, response.json()["status"]) == (200, "running")


# --- Cancel -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [None, 60])
def test_a_waiting_job_is_cancelled_at_once(world: World, delay: int | None) -> None:
    job = make_job(world.org, delay_seconds=delay)

    response = api(world.operator).post(path(job, "cancellation/"), {"reason": "sent twice"})

    assert response.status_code == 200
    assert response.json() == {"id": str(job.pk), "became": "cancelled", "status_url": path(job)}
    job.refresh_from_db()
    assert job.status == "cancelled"
    assert not Ready.objects.exists()
    entry = AuditEntry.objects.get(action="job.cancel")
    assert (entry.actor, entry.target, entry.detail["reason"]) == (world.operator, str(job.pk), "sent twice")


def test_the_worker_of_a_running_job_is_asked_to_stop(world: World) -> None:
    job = make_job(world.org)
    claim_all()

    response = api(world.operator).post(path(job, "cancellation/"))

    assert (response.status_code, response.json()["became"]) == (202, "cancelling")
    assert Lease.objects.get().cancel_requested
    assert api(world.viewer).get(path(job)).json()["cancel_requested"] is True


def test_an_ended_job_is_not_cancelled(world: World) -> None:
    job = make_done(world.org)

    response = api(world.operator).post(path(job, "cancellation/"), {})

    assert response.status_code == 409
    assert response.json()["type"] == "urn:smartqueue:problem:illegal_move"
    assert response.json()["detail"] == "The job is done."
    job.refresh_from_db()
    assert job.status == "done"


# --- Replay -----------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_sent_back_as_often_as_wanted(world: World) -> None:
    job = make_dead_letter(world.org)
    client = api(world.operator)

    for life in (2, 3):
        response = client.post(path(job, "replay/"), {})
        body = response.json()
        assert (response.status_code, body["status"], body["life"]) == (200, "queued", life)
        assert (body["id"], body["correlation_id"]) == (str(job.pk), job.correlation_id)
        (claimed,) = claim_all()
        assert finish_one(claimed, Outcome.ERROR, permanent=True)

    assert AuditEntry.objects.filter(action="job.replay", target=str(job.pk)).count() == 2


def test_a_dead_letter_may_be_sent_back_with_another_payload(world: World) -> None:
    job = make_dead_letter(world.org)
    edited = {"task": "demo.add", "kwargs": {"a": 5, "b": 5}}

    body = api(world.operator).post(path(job, "replay/"), {"payload": edited}).json()

    assert body["payload"] == edited
    entry = AuditEntry.objects.get(action="job.replay")
    assert (entry.detail["old"]["payload"], entry.detail["new"]["payload"]) == (ADD, edited)


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [({"task": "demo.add", "kwargs": {"a": "x", "b": 1}}, "/payload/kwargs/a"), ({"task": "x" * 11_000}, "/payload")],
)
def test_a_payload_that_does_not_fit_is_refused_and_the_dead_letter_stays(
    world: World, payload: dict[str, object], pointer: str
) -> None:
    job = make_dead_letter(world.org)

    response = api(world.operator).post(path(job, "replay/"), {"payload": payload})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == pointer
    job.refresh_from_db()
    assert (job.status, job.payload, job.life) == ("failed", ADD, 1)


def test_a_job_that_is_no_dead_letter_is_not_sent_back(world: World) -> None:
    response = api(world.operator).post(path(make_job(world.org), "replay/"), {})

    assert response.status_code == 409
    assert response.json()["detail"] == "The job is queued."
