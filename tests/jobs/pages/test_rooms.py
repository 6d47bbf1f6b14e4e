"""The page of one queue, pauses of kinds and of the organisation, limits, and the page of one worker."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.models import Limit, Pause, Queue, Ready, WorkerProcess
from orgs.models import AuditEntry
from tests.analytics.rows import make_process
from tests.conftest import World
from tests.factories import WORKER, browser, claim_all, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db


def test_a_queue_has_a_page_with_what_waits_by_kind_and_what_failed(world: World) -> None:
    make_process()
    dead = make_dead_letter(world.org)
    for name in ("nightly", "nightly", "hourly"):
        make_job(world.org, name=name)
    make_job(world.rival, name="theirs")

    page = read(browser(world.viewer).get("/queues/default/"))

    kinds = [row.one("a", css="name").text for row in page.all("tr") if "kind-" in row.attributes.get("id", "")]
    assert kinds == ["nightly", "hourly"]
    assert page.all("a", href=f"/jobs/{dead.pk}/")
    assert re.search(r"Empty in ≈ \d", page.by_id("queue").text)
    assert "theirs" not in page.text


def test_a_queue_past_its_target_says_so(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)
    client.post("/queues/default/target/", {"target_seconds": "30"})
    assert not read(client.get("/queues/")).all("span", css="late")

    Ready.objects.update(queued_at=timezone.now() - timedelta(minutes=2))

    (late,) = read(client.get("/queues/")).by_id("queue-default").all("span", css="late")
    assert "of 30 s" in late.text
    client.post("/queues/default/target/", {"target_seconds": "-1"})
    assert Queue.objects.get().target_seconds == 30
    client.post("/queues/default/target/", {"target_seconds": ""})
    assert Queue.objects.get().target_seconds is None


def test_a_pause_for_a_time_says_when_it_ends(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)

    client.post("/queues/default/pause/", {"for": "1h", "reason": "disk"})

    assert "goes on in 59 m" in read(client.get("/queues/")).by_id("queue-default").text
    left = Queue.objects.get().resume_at - timezone.now()  # type: ignore[operator]
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


@pytest.mark.parametrize("asked", [{"for": "2y"}, {"until": "yesterday"}, {"until": "2001-01-01T00:00"}])
def test_an_end_that_is_none_pauses_nothing(world: World, asked: dict[str, str]) -> None:
    make_job(world.org)
    response = browser(world.owner).post("/queues/default/pause/", asked, follow=True)
    assert "Nothing was changed." in read(response).text
    assert not Queue.objects.get().paused


def test_a_closed_queue_says_so_and_opens_again(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)

    client.post("/queues/default/close/", {"reason": "moving"})

    row = read(client.get("/queues/")).by_id("queue-default").text
    assert all(word in row for word in ("closed", "takes no new jobs", "by owner", "moving"))
    form = {"type": "python", "task": "demo.add", "kwargs": '{"a": 1, "b": 2}', "queue": "default", "once": "1"}
    refused = client.post("/jobs/submit/", form)
    assert (refused.status_code, "is closed" in read(refused).text) == (400, True)
    client.post("/queues/default/reopen/", {"next": "/queues/default/"})
    assert client.post("/jobs/submit/", form).status_code == 302


def test_a_kind_is_paused_from_its_queue_and_resumed_from_the_list(world: World) -> None:
    make_job(world.org, name="nightly")
    client = browser(world.owner)

    response = client.post("/pauses/", {"type": "python", "name": "nightly", "next": "/queues/default/"})

    assert response["Location"] == "/queues/default/"
    assert claim_all() == []
    assert "paused" in read(client.get("/queues/default/")).by_id("kind-1").text
    pause = Pause.objects.get()
    assert "python nightly" in read(client.get("/queues/")).by_id(f"pause-{pause.pk}").text
    client.post(f"/pauses/{pause.pk}/end/")
    assert len(claim_all()) == 1


def test_the_organisation_is_paused_as_a_whole(world: World) -> None:
    make_process()
    make_job(world.org)
    client = browser(world.owner)
    client.post("/pauses/", {"what": "org", "reason": "flood"})
    page = read(client.get("/queues/"))
    (told,) = page.all("div", css="message")
    assert all(word in told.text for word in ("is paused", "by owner", "flood"))
    assert "≈" not in page.by_id("queue-default").text
    assert claim_all() == []
    client.post(f"/pauses/{Pause.objects.get().pk}/end/")
    assert len(claim_all()) == 1


def test_only_an_admin_pauses_and_what_is_none_is_refused(world: World) -> None:
    assert browser(world.operator).post("/pauses/", {"type": "python"}).status_code == 403
    for asked in ({"type": "none"}, {}, {"name": "n"}):
        browser(world.owner).post("/pauses/", asked)
    assert not Pause.objects.exists()
    theirs = Pause.objects.create(org=world.rival, type="python", paused_at=timezone.now())
    assert browser(world.owner).post(f"/pauses/{theirs.pk}/end/").status_code == 404


def test_a_limit_is_set_changed_and_removed_by_its_form(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)
    form = {"scope": "queue", "name": "default", "next": "/queues/default/"}

    response = client.post("/limits/set/", {**form, "max_running": "5", "rate_count": "10", "rate_seconds": "60"})

    assert response["Location"] == "/queues/default/"
    limit = Limit.objects.get()
    assert (limit.max_running, limit.rate_count, limit.rate_seconds, limit.burst) == (5, 10, 60.0, 10)
    claim_all()
    shown = read(browser(world.viewer).get("/limits/")).by_id(f"limit-{limit.pk}")
    row = shown.text
    assert shown.one("meter").attributes["max"] == "5"
    assert "0 / 5 running" in row or "1 / 5 running" in row
    assert "10 starts in 1 m" in row
    client.post("/limits/set/", {**form, "max_running": "x"})
    client.post("/limits/set/", {**form, "rate_seconds": "60"})
    assert Limit.objects.get().max_running == 5
    client.post("/limits/set/", form)
    assert not Limit.objects.exists()
    assert browser(world.operator).post("/limits/set/", {**form, "max_running": "1"}).status_code == 403


def test_a_worker_has_a_page_with_its_last_jobs_and_leases(world: World) -> None:
    make_process(labels={"zone": "b"})
    done = make_done(world.org, title="Mine")
    make_done(world.rival, title="Theirs")
    running = make_job(world.org, title="Runs")
    claim_all()

    page = read(browser(world.viewer).get(f"/workers/{WORKER}/"))

    assert "zone=b" in page.text
    assert page.by_id(f"try-{done.pk}-1")
    assert page.all("a", href=f"/jobs/{running.pk}/")
    assert "lease ends in" in page.text
    assert "Theirs" not in page.text


def test_who_may_not_tell_a_worker_sees_why(world: World) -> None:
    make_process()
    page = read(browser(world.owner).get(f"/workers/{WORKER}/"))
    buttons = [one for one in page.all("button") if one.attributes.get("aria-describedby") == "why-not"]
    assert [one.text for one in buttons] == ["Quiet: take no more", "Finish and stop"]
    assert "a platform admin" in page.by_id("why-not").text
    assert browser(world.owner).post(f"/workers/{WORKER}/quiet/").status_code == 403
    assert WorkerProcess.objects.get().asked == ""


def test_a_platform_admin_tells_it_and_sees_that_it_was_asked(world: World) -> None:
    make_process()
    client = browser(world.platform_admin)

    client.post(f"/workers/{WORKER}/quiet/")

    page = read(client.get(f"/workers/{WORKER}/"))
    assert "asked to be quiet 0 s ago" in page.text
    assert page.all("form", action=f"/workers/{WORKER}/resume/")
    WorkerProcess.objects.update(obeyed_at=timezone.now(), status="quiet")
    assert "quiet since 0 s ago" in read(client.get("/workers/")).by_id(f"process-{WORKER}").text
    client.post(f"/workers/{WORKER}/stop/", {"reason": "disk"})
    assert AuditEntry.objects.get(action="worker.stop").detail["reason"] == "disk"
    assert not read(client.get(f"/workers/{WORKER}/")).all("form", action=f"/workers/{WORKER}/stop/")
    assert client.post(f"/workers/{WORKER}/dance/").status_code == 400


@pytest.mark.parametrize("path", ["/queues/default/", f"/workers/{WORKER}/", "/limits/"])
def test_a_page_costs_few_queries(world: World, django_assert_num_queries: DjangoAssertNumQueries, path: str) -> None:
    make_process()
    for _ in range(3):
        make_job(world.org)
    Limit.objects.create(org=world.org, scope="queue", name="default", max_running=5)
    client = browser(world.viewer)
    costs = {"/queues/default/": 11, f"/workers/{WORKER}/": 6, "/limits/": 5}
    with django_assert_num_queries(costs[path]):
        client.get(path)
