"""Job types and queues."""

import pytest
from jsonschema import Draft202012Validator

from jobs.models import Queue, Ready
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, claim_all, make_dead_letter, make_done, make_job

pytestmark = pytest.mark.django_db

QUEUES = "/api/v1/queues/"
# Whichever version it is.
ANY = {"if-match": "*"}


def test_every_type_is_shown_with_a_payload_that_fits(world: World) -> None:
    items = {item["type"]: item for item in api(world.viewer).get("/api/v1/job-types/").json()["items"]}

    assert {"http", "python", "shell"} <= set(items)
    for item in items.values():
        Draft202012Validator.check_schema(item["schema"])
        Draft202012Validator(item["schema"]).validate(item["example"])
        assert item["title"]
        assert item["description"]


def test_python_tasks_are_shown_with_the_schema_of_their_arguments(world: World) -> None:
    items = {item["type"]: item for item in api(world.viewer).get("/api/v1/job-types/").json()["items"]}

    (add,) = [task for task in items["python"]["tasks"] if task["name"] == "demo.add"]
    assert add["description"] == "The sum of two whole numbers."
    assert add["schema"]["required"] == ["a", "b"]
    assert items["shell"]["tasks"] == []


# --- Queues -----------------------------------------------------------------------------------------------------


def test_queues_are_listed_with_exact_counts(world: World) -> None:
    make_done(world.org, queue="mail")
    make_dead_letter(world.org, queue="mail")
    make_job(world.org, queue="mail")
    claim_all("mail")
    make_job(world.org, queue="mail")
    make_job(world.org, queue="mail", delay_seconds=60)
    make_job(world.org, queue="backup")
    make_job(world.rival, queue="secret")

    backup, mail = api(world.viewer).get(QUEUES).json()["items"]

    assert (backup["name"], mail["name"]) == ("backup", "mail")
    assert mail["counts"] == {"scheduled": 1, "queued": 1, "running": 1, "done": 1, "failed": 1, "cancelled": 0}
    assert backup["counts"]["queued"] == 1
    assert (mail["paused"], mail["paused_by"], mail["pause_reason"]) == (False, None, "")


def test_queues_are_paged_by_name(world: World) -> None:
    for name in ("a", "b", "c"):
        make_job(world.org, queue=name)
    client = api(world.viewer)

    first = client.get(QUEUES, {"limit": 2}).json()
    second = client.get(QUEUES, {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


def test_a_paused_queue_gives_no_job_away_until_it_is_resumed(world: World) -> None:
    make_job(world.org)
    client = api(world.owner)

    paused = client.post(f"{QUEUES}default/pause/", {"reason": "mail server down"})
    taken_while_paused = claim_all()
    resumed = client.delete(f"{QUEUES}default/pause/")

    assert (paused.status_code, paused.json()["paused"]) == (200, True)
    assert (paused.json()["paused_by"], paused.json()["pause_reason"]) == ("owner", "mail server down")
    assert taken_while_paused == []
    assert (resumed.status_code, resumed.json()["paused"], resumed.json()["paused_at"]) == (200, False, None)
    assert len(claim_all()) == 1
    assert set(AuditEntry.objects.values_list("action", flat=True)) == {"queue.pause", "queue.resume"}


@pytest.mark.parametrize("name", ["unknown", "secret", "Not%20A%20Queue", "%00", "x" * 300, "%F0%9F%9B%A0"])
def test_a_queue_that_is_not_ones_own_is_a_404(world: World, name: str) -> None:
    make_job(world.rival, queue="secret")
    client = api(world.owner)

    assert client.post(f"{QUEUES}{name}/pause/", {}).status_code == 404
    assert client.delete(f"{QUEUES}{name}/pause/").status_code == 404
    assert client.get(f"{QUEUES}{name}/").status_code == 404
    assert client.patch(f"{QUEUES}{name}/", {"policy": "fifo"}, headers=ANY).status_code == 404
    assert not Queue.objects.filter(paused_at__isnull=False).exists()


def test_the_order_of_a_queue_is_chosen_and_given_up(world: World) -> None:
    make_job(world.org)
    client = api(world.owner)

    chosen = client.patch(f"{QUEUES}default/", {"policy": "priority"}, headers=ANY)
    told = client.get(QUEUES).json()["items"][0]["policy"]
    left = client.patch(f"{QUEUES}default/", {"policy": None}, headers=ANY)

    assert (chosen.status_code, chosen.json()["policy"], told) == (200, "priority", "priority")
    assert left.json()["policy"] == "learned"
    assert AuditEntry.objects.filter(action="queue.policy").count() == 2


def test_what_waits_keeps_its_place_when_the_order_changes(world: World) -> None:
    make_job(world.org, urgency="low")
    before = Ready.objects.get().rank

    api(world.owner).patch(f"{QUEUES}default/", {"policy": "fifo"}, headers=ANY)
    low, high = make_job(world.org, urgency="low"), make_job(world.org, urgency="high")

    assert Ready.objects.order_by("queued_at")[0].rank == before
    assert low.rank_offset < high.rank_offset
    assert high.stretch == low.stretch


@pytest.mark.parametrize("policy", ["random", "", 3, ["fifo"]])
def test_an_unknown_order_is_refused(world: World, policy: object) -> None:
    make_job(world.org)

    assert api(world.owner).patch(f"{QUEUES}default/", {"policy": policy}).status_code == 400


def test_a_change_of_a_queue_that_somebody_else_has_changed_since_is_not_made(world: World) -> None:
    make_job(world.org)
    client, path = api(world.owner), f"{QUEUES}default/"
    seen = client.get(path)
    tag = {"if-match": seen["ETag"]}
    assert seen.json() == client.get(QUEUES).json()["items"][0]

    paused = client.post(f"{path}pause/", {"reason": "full"}, headers=tag)
    late = [
        client.patch(path, {"policy": "fifo"}, headers=tag),
        client.post(f"{path}pause/", {}, headers=tag),
        client.delete(f"{path}pause/", headers=tag),
    ]

    assert (paused.status_code, [answer.status_code for answer in late]) == (200, [412] * 3)
    assert client.patch(path, {"policy": "fifo"}).status_code == 428
    assert client.get(path)["ETag"] == paused["ETag"] != seen["ETag"]
    (queue,) = Queue.objects.for_org(world.org)
    assert (queue.pause_reason, queue.policy) == ("full", "")
    assert AuditEntry.objects.exclude(action="job.submit").count() == 1
    assert client.delete(f"{path}pause/", headers={"if-match": paused["ETag"]}).status_code == 200


def test_a_job_that_moves_does_not_change_the_tag_of_its_queue(world: World) -> None:
    make_job(world.org)
    before = api(world.viewer).get(f"{QUEUES}default/")

    claim_all()

    after = api(world.viewer).get(f"{QUEUES}default/")
    assert (before.json()["counts"]["queued"], after.json()["counts"]["running"]) == (1, 1)
    assert before["ETag"] == after["ETag"]
