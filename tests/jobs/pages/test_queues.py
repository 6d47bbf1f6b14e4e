"""The page of queues, pausing and resuming."""

from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Queue, WorkerProcess
from orgs.models import AuditEntry
from tests.analytics.rows import roll_up
from tests.conftest import World
from tests.factories import browser, claim_all, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db


def serve(*queues: str, status: str = "online") -> WorkerProcess:
    shape: dict[str, Any] = {"kind": "worker", "hostname": "h", "pid": 1, "version": "0", "slots": 1}
    times = {"started_at": timezone.now(), "beat_at": timezone.now()}
    number = WorkerProcess.objects.count()
    return WorkerProcess.objects.create(
        id=f"01900000-0000-7000-8000-0000000000{number:02}", queues=list(queues), types=["python"], status=status,
        **shape, **times,
    )  # fmt: skip


def row_of(page: Element, queue: str) -> dict[str, str]:
    row = page.by_id(f"queue-{queue}")
    return {cell.attributes["data-label"]: cell.text for cell in row.all("td") if "data-label" in cell.attributes}


def test_each_queue_shows_its_jobs_by_status_and_who_serves_it(world: World) -> None:
    make_done(world.org, queue="a")
    make_dead_letter(world.org, queue="a")
    make_job(world.org, queue="a")
    claim_all("a")
    make_job(world.org, queue="a")
    make_job(world.org, queue="a", delay_seconds=60)
    make_job(world.org, queue="b")
    make_job(world.rival, queue="a")
    serve("a")
    serve("*")
    serve("a", status="dead")

    page = read(browser(world.viewer).get("/queues/"))

    row = row_of(page, "a")
    assert {name: row[name] for name in ("Scheduled", "Done", "Failed", "Workers")} == {
        **dict.fromkeys(("Scheduled", "Done", "Failed"), "1"), "Workers": "2",
    }  # fmt: skip
    assert row["Queued"].startswith("1 oldest")
    assert row["Running"] == "1"
    assert row["Empty in"].startswith("≈ ")
    meter = page.by_id("queue-a").one("meter")
    assert (meter.attributes["value"], meter.attributes["max"]) == ("1", "2")
    assert row_of(page, "b")["Workers"] == "1"
    assert page.by_id("queue-a").all("a", href="/jobs/?queue=a&status=failed")


def test_a_queue_that_nobody_serves_names_the_command(world: World) -> None:
    make_job(world.org, queue="lonely")

    page = read(browser(world.viewer).get("/queues/"))

    assert "manage.py runworker --queues lonely" in page.by_id("queue-lonely").text


def test_pausing_holds_the_queue_back_and_says_who_why_and_since_when(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)

    response = client.post("/queues/default/pause/", {"reason": "a fire"})

    row = read(client.get(response["Location"])).by_id("queue-default")
    assert all(part in row.text for part in ("paused", "by owner", "a fire"))
    assert row.all("time", data_ago="")
    assert claim_all() == []
    assert AuditEntry.objects.filter(action="queue.pause", target="default").exists()


def test_resuming_lets_it_go_on(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)
    client.post("/queues/default/pause/")

    client.post("/queues/default/resume/")

    assert not Queue.objects.get(org=world.org).paused
    assert len(claim_all()) == 1


def test_clearing_a_queue_counts_first_what_waits_in_it(world: World) -> None:
    for queue in ("a", "a", "b"):
        make_job(world.org, queue=queue)
    make_job(world.org, queue="a", delay_seconds=60)
    make_done(world.org, queue="c")
    client = browser(world.operator)

    (clear,) = [one for one in read(client.get("/queues/")).by_id("queue-a").all("a") if one.text == "Clear …"]
    page = read(client.get(clear.attributes["href"]))

    assert "This cancels 3 jobs in acme/a." in page.text
    assert clear.attributes["href"] in {one.attributes.get("href") for one in read(client.get("/queues/a/")).all("a")}


@pytest.mark.parametrize("name", ["nowhere", "Default", "a%20b", "x" * 50])
@pytest.mark.parametrize("action", ["pause", "resume", "close", "reopen", "target"])
def test_a_queue_that_is_none_is_not_found(world: World, name: str, action: str) -> None:
    make_job(world.org)

    assert browser(world.owner).post(f"/queues/{name}/{action}/").status_code == 404


def test_an_operator_sees_who_may_pause(world: World) -> None:
    make_job(world.org)

    page = read(browser(world.operator).get("/queues/"))

    button = page.by_id("queue-default").one("button")
    assert "disabled" in button.attributes
    assert "takes an org admin" in page.by_id(button.attributes["aria-describedby"]).text


@pytest.mark.parametrize("change", ["job", "pause", "worker"])
def test_the_page_answers_204_until_something_changes(world: World, change: str) -> None:
    make_job(world.org)
    client = browser(world.owner)
    version = read(client.get("/queues/")).by_id("queues").attributes["data-version"]

    def poll() -> int:
        return client.get("/queues/", {"v": version}, headers={"HX-Request": "true"}).status_code

    before = poll()
    if change == "job":
        make_job(world.org)
    elif change == "pause":
        client.post("/queues/default/pause/")
    else:
        serve("default")

    assert (before, poll()) == (204, 200)


@pytest.mark.parametrize("queues", [1, 12])
def test_the_page_costs_the_same_queries_however_many_queues(
    world: World, django_assert_num_queries: DjangoAssertNumQueries, queues: int
) -> None:
    for number in range(queues):
        make_job(world.org, queue=f"q{number}")
    client = browser(world.owner)

    with django_assert_num_queries(9):
        client.get("/queues/")


def test_an_admin_orders_a_queue_and_the_rest_only_see_how(world: World) -> None:
    make_job(world.org, queue="a")
    client = browser(world.owner)

    response = client.post("/queues/a/policy/", {"policy": "fifo"}, follow=True)

    assert "those that wait keep their places" in response.content.decode()
    assert Queue.objects.get(name="a").policy == "fifo"
    page = read(browser(world.viewer).get("/queues/a/"))
    (chosen,) = [one for one in page.all("input", name="policy") if "checked" in one.attributes]
    assert chosen.attributes["value"] == "fifo"
    assert AuditEntry.objects.get(action="queue.policy").detail == {"old": {"policy": ""}, "new": {"policy": "fifo"}}


def test_an_order_that_there_is_not_changes_nothing(world: World) -> None:
    make_job(world.org, queue="a")

    browser(world.owner).post("/queues/a/policy/", {"policy": "random"})

    assert Queue.objects.get(name="a").policy == ""


def test_a_queue_shows_what_ended_in_the_last_hour(world: World) -> None:
    make_done(world.org, queue="mail")
    make_done(world.org, queue="mail")
    make_done(world.org)
    make_done(world.rival, queue="mail")
    roll_up()

    row = read(browser(world.owner).get("/queues/")).by_id("queue-mail")

    assert "2 attempts ended" in row.text
    assert row.one("svg", css="sparkline").attributes["aria-hidden"] == "true"
