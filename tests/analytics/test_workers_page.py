"""The workers page: who works on what, and what to start where nobody does."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from jobs.models import Lease
from jobs.queue import sql
from tests.analytics.rows import make_process, make_term
from tests.conftest import World
from tests.factories import WORKER, browser, claim_all, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}
SCHEDULER, WATCHDOG = UUID(int=1), UUID(int=2)


def page(world: World) -> Element:
    return read(browser(world.viewer).get("/workers/"))


def test_an_empty_pool_teaches_what_to_start(world: World) -> None:
    text = page(world).by_id("pool").text

    assert "No worker runs" in text
    for command in ("runworker --queues '*'", "runscheduler", "runwatchdog"):
        assert f"manage.py {command}" in text


def test_a_worker_is_shown_with_all_that_is_known_of_it(world: World) -> None:
    started = timezone.now() - timedelta(minutes=10)
    make_process(queues=["default", "mail"], types=["http", "python"], started_at=started)

    row = page(world).by_id(f"process-{WORKER}")

    cells = {cell.attributes["data-label"]: cell.text for cell in row.all("td") if "data-label" in cell.attributes}
    assert re.fullmatch(r"\d+ s ago", cells.pop("Heartbeat"))
    assert cells == {
        "Status": "online",
        "Running": "–",
        "Slots": "0/5",
        "Takes": "default, mail http, python",
        "CPU": "13 %",
        "Memory": "50 MB",
        "Processed": "3",
        "Started": "10 m ago",
    }
    assert "host-7" in row.text
    assert "pid 7, version 1" in row.text


def test_what_a_worker_runs_is_named_only_when_it_is_ones_own(world: World) -> None:
    make_process()
    ours = make_job(world.org, title="Ours")
    theirs = make_job(world.rival, title="Theirs")
    claim_all()

    response = browser(world.viewer).get("/workers/")

    row = read(response).by_id(f"process-{WORKER}")
    assert row.one("a", href=f"/jobs/{ours.pk}/").text == "Ours"
    assert "a job of another organisation" in row.text
    assert "2/5" in row.text
    assert "Theirs" not in response.content.decode()
    assert str(theirs.pk) not in response.content.decode()


def test_the_leader_is_marked_among_the_schedulers(world: World) -> None:
    make_process(id=SCHEDULER, kind="scheduler")
    make_process(id=WATCHDOG, kind="watchdog")
    make_term(1, process_id=SCHEDULER)

    found = page(world)

    assert "scheduler leads online" in found.by_id(f"process-{SCHEDULER}").text
    assert "leads" not in found.by_id(f"process-{WATCHDOG}").text
    assert "runscheduler" not in found.by_id("pool").text
    assert re.search(r"Heartbeat \d+ s ago", found.by_id("pool").text)


def test_what_was_taken_back_from_lost_workers_is_counted(world: World) -> None:
    assert "No job had to be taken back" in page(world).by_id("reclaimed").text
    for org in (world.org, world.org, world.rival):
        make_job(org)
    claim_all()
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    sql.run("rescue", batch=10, actor="watchdog")

    told = page(world).by_id("reclaimed").text
    assert "2 jobs were taken back from lost workers in 24 hours" in told


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"status": "draining"}, "draining"), ({"status": "dead", "gone": 5}, "dead"), ({"age": 60}, "late")],
)
def test_a_worker_that_does_not_work_is_marked(world: World, fields: dict[str, object], word: str) -> None:
    now = timezone.now()
    if "gone" in fields:
        fields = {"status": fields["status"], "stopped_at": now - timedelta(minutes=5)}
    if "age" in fields:
        fields = {"beat_at": now - timedelta(seconds=60)}
    make_process(**fields)

    found = page(world)

    assert found.by_id(f"process-{WORKER}").one("td", data_label="Status").text == word
    assert ("No worker runs" in found.by_id("pool").text) == (word != "draining")


def test_the_living_come_first(world: World) -> None:
    now = timezone.now()
    make_process(id=UUID(int=5), hostname="aaa", status="dead", stopped_at=now)
    make_process(id=UUID(int=6), hostname="zzz")

    rows = [row.attributes["id"] for row in page(world).all("tr") if "id" in row.attributes]

    assert rows == [f"process-{UUID(int=6)}", f"process-{UUID(int=5)}"]


def test_a_poll_is_answered_with_nothing_until_a_heartbeat_or_a_job_moves(world: World) -> None:
    worker = make_process()
    client = browser(world.viewer)

    def poll(v: str) -> tuple[int, str]:
        answer = client.get("/workers/", {"v": v}, **HTMX)
        found = re.findall(r'data-version="([^"]+)"', answer.content.decode())
        return answer.status_code, found[0] if found else v

    (_, shown) = poll("")
    assert poll(shown)[0] == 204
    make_job(world.rival)
    claim_all()
    (status, shown) = poll(shown)
    assert status == 200
    worker.beat_at = timezone.now()
    worker.save()
    assert poll(shown)[0] == 200


def test_the_fragment_is_the_region_alone(world: World) -> None:
    make_process()

    fragment = read(browser(world.viewer).get("/workers/", {"v": "0"}, **HTMX))

    assert [one.attributes.get("id") for one in fragment.children if isinstance(one, Element)] == ["pool"]
