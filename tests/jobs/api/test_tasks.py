"""The same jobs in the words of older clients."""

import pytest

from jobs.models import Job
from tests.conftest import World
from tests.factories import api, claim_all, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def test_a_task_goes_from_pending_to_completed(world: World) -> None:
    client = api(world.operator)
    made = client.post(TASKS, ADD)
    path = made["Location"]
    pending = client.get(path).json()
    job = Job.objects.get()

    assert (made.status_code, path) == (201, f"{TASKS}{job.pk}/")
    assert pending == made.json()
    assert (pending["status"], pending["type"], pending["payload"], pending["result"]) == (
        *("PENDING", "python", ADD["payload"], None),
    )
    claim_all()
    assert client.get(path).json()["status"] == "PROCESSING"


def test_each_status_has_its_older_word(world: World) -> None:
    client = api(world.operator)
    done, dead, delayed = make_done(world.org), make_dead_letter(world.org), make_job(world.org, delay_seconds=60)
    words = [client.get(f"{TASKS}{job.pk}/").json()["status"] for job in (done, dead, delayed)]
    client.post(f"/api/v1/jobs/{delayed.pk}/cancellation/", {})

    assert words == ["COMPLETED", "FAILED", "PENDING"]
    assert client.get(f"{TASKS}{delayed.pk}/").json()["status"] == "CANCELLED"
    assert client.get(f"{TASKS}{done.pk}/").json()["result"] == 3


def test_tasks_are_listed_and_filtered(world: World) -> None:
    done, waiting = make_done(world.org), make_job(world.org)
    make_done(world.rival)
    client = api(world.viewer)

    everything = client.get(TASKS).json()["items"]
    completed = client.get(TASKS, {"status": "COMPLETED"}).json()["items"]

    assert [item["id"] for item in everything] == [str(waiting.pk), str(done.pk)]
    assert [(item["id"], item["status"]) for item in completed] == [(str(done.pk), "COMPLETED")]
    assert not {"payload", "result"} & set(everything[0])


def test_tasks_are_paged(world: World) -> None:
    older, newer = make_job(world.org), make_job(world.org)
    client = api(world.viewer)

    first = client.get(TASKS, {"limit": 1}).json()
    second = client.get(TASKS, {"limit": 1, "cursor": first["next_cursor"]}).json()

    assert [first["items"][0]["id"], second["items"][0]["id"]] == [str(newer.pk), str(older.pk)]


@pytest.mark.parametrize("query", [{"status": "queued"}, {"type": "python"}, {"status": ["PENDING", "FAILED"]}])
def test_other_filters_are_refused(world: World, query: dict[str, object]) -> None:
    assert api(world.viewer).get(TASKS, query).status_code == 400


def test_a_task_takes_type_and_payload_only(world: World) -> None:
    response = api(world.operator).post(TASKS, {**ADD, "name": "x"})

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/name"
    assert not Job.objects.exists()


def test_an_idempotency_key_holds_here_too(world: World) -> None:
    client = api(world.operator)
    first = client.post(TASKS, ADD, headers={"Idempotency-Key": "k"})
    again = client.post(TASKS, ADD, headers={"Idempotency-Key": "k"})

    assert (first.status_code, again.status_code, again.json()["id"]) == (201, 200, first.json()["id"])


def test_a_foreign_task_is_a_404(world: World) -> None:
    assert api(world.owner).get(f"{TASKS}{make_job(world.rival).pk}/").status_code == 404
