"""Bulk operations on the pages: the question, the progress, and the way back."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpResponse
from pytest_django import DjangoAssertNumQueries, Settings

from jobs.models import BulkOperation, Job, Queue
from jobs.pages import bulk, downloads
from jobs.queue.bulk_run import run_bulk
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import browser, claim_all, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import job_ids, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def undoable(settings: Settings) -> None:
    settings.UNDO_SECONDS = 10


def run_all() -> None:
    BulkOperation.objects.filter(state="pending").update(next_at=Now() - timedelta(seconds=1))
    more = True
    while more:
        with transaction.atomic():
            more = run_bulk()


def statuses(*jobs: Job) -> list[str]:
    found = dict(Job.objects.values_list("pk", "status"))
    return [found.get(job.pk, "gone") for job in jobs]


def said(response: HttpResponse) -> list[str]:
    return [str(one) for one in get_messages(response.wsgi_request)]


def ask(client: Any, query: str) -> tuple[Any, str, dict[str, str]]:
    """The question, its address and its hidden values."""
    page = read(client.get(f"/bulk-operations/new/?{query}"))
    form = page.one("form", css="stack")
    hidden = {one.attributes["name"]: one.attributes["value"] for one in form.all("input", type="hidden")}
    return page, form.attributes["action"], hidden


def test_all_that_match_are_counted_first_and_replayed_when_confirmed(world: World) -> None:
    matching = [make_dead_letter(world.org, queue="a") for _ in range(3)]
    others = [make_dead_letter(world.org, queue="b"), make_dead_letter(world.rival, queue="a")]
    client = browser(world.operator)

    page, path, hidden = ask(client, "kind=replay&of=dead-letters&queue=a")
    assert "This sends 3 dead letters in acme/a back to their queues." in page.text
    response = client.post(path, {**hidden, "reason": "mended"})
    operation = BulkOperation.objects.get()
    assert response["Location"] == f"/bulk-operations/{operation.pk}/"
    assert operation.reason == "mended"
    assert statuses(*matching) == ["failed"] * 3

    run_all()
    assert statuses(*matching, *others) == ["queued"] * 3 + ["failed"] * 2
    seen = read(client.get(response["Location"])).text
    assert "done" in seen
    assert "queued again" in seen


def test_what_failed_after_the_question_is_left_alone(world: World) -> None:
    counted = make_dead_letter(world.org)
    client = browser(world.operator)
    _, path, hidden = ask(client, "kind=replay&of=dead-letters")
    later = make_dead_letter(world.org)
    client.post(path, hidden)
    run_all()
    assert statuses(counted, later) == ["queued", "failed"]


@pytest.mark.parametrize(("typed", "status"), [("", "queued"), ("2", "queued"), ("3", "cancelled")])
def test_a_large_number_must_be_typed(world: World, monkeypatch: pytest.MonkeyPatch, typed: str, status: str) -> None:
    monkeypatch.setattr(bulk, "TYPE_COUNT_ABOVE", 2)
    jobs = [make_job(world.org) for _ in range(3)]
    client = browser(world.operator)
    _, path, hidden = ask(client, "kind=cancel")
    client.post(path, {**hidden, "count": typed})
    run_all()
    assert statuses(*jobs) == [status] * 3


@pytest.mark.parametrize("until", ["", "nonsense", "2026-01-01", "2026-13-01T00:00:00+00:00"])
def test_a_question_that_was_not_asked_is_refused(world: World, until: str) -> None:
    make_job(world.org)
    response = browser(world.operator).post("/bulk-operations/new/?kind=cancel", {"until": until})
    assert response.status_code == 400
    assert not BulkOperation.objects.exists()


@pytest.mark.parametrize(
    "query", ["kind=cancel&within=forever", "kind=explode", "of=nowhere", "kind=cancel&of=dead-letters"]
)
def test_what_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert browser(world.operator).get(f"/bulk-operations/new/?{query}").status_code == 400


def test_jobs_are_moved_to_a_queue_that_is_one(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.operator)
    _, path, hidden = ask(client, "kind=queue")
    wrong = client.post(path, {**hidden, "queue": "No Queue"})
    assert wrong.status_code == 400
    assert "lower-case" in read(wrong).text
    client.post(path, {**hidden, "queue": "night", "rate": "50"})
    run_all()
    assert Job.objects.get(pk=job.pk).queue == "night"


def test_who_may_not_delete_is_told_so(world: World) -> None:
    make_done(world.org)
    assert browser(world.operator).get("/bulk-operations/new/?kind=delete").status_code == 403
    page = read(browser(world.operator).get("/bulk-operations/new/"))
    assert "deleting jobs takes an org admin" in page.text


def test_ticked_jobs_are_given_another_urgency(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.operator)
    client.post("/bulk-operations/selected/", {"kind": "urgency", "urgency": "high", "job": [job.pk], "queue": ""})
    run_all()
    assert Job.objects.get(pk=job.pk).urgency == "high"


def test_how_many_match_is_told_to_the_list(world: World) -> None:
    for queue in ("a", "a", "b"):
        make_job(world.org, queue=queue)
    make_job(world.rival, queue="a")
    assert browser(world.viewer).get("/bulk-operations/count/?queue=a").json() == {"jobs": 2, "more": False}


# --- Undo -----------------------------------------------------------------------------------------------------------


def undo_form(client: Any, path: str) -> tuple[str, dict[str, str]]:
    form = read(client.get(path)).one("li", css="undoable").one("form")
    return form.attributes["action"], {one.attributes["name"]: one.attributes["value"] for one in form.all("input")}


@pytest.mark.usefixtures("undoable")
def test_a_cancel_is_undone_with_the_button_of_its_message(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.operator)
    response = client.post(f"/jobs/{job.pk}/cancellation/", {"reason": "by mistake"})
    assert statuses(job) == ["queued"]
    assert claim_all() == []

    page = read(client.get(f"/jobs/{job.pk}/"))
    assert "This job is to be cancelled" in page.text
    action, fields = undo_form(browser_with_message(client, job), f"/jobs/{job.pk}/")
    response = client.post(action, fields)
    assert "Undone" in said(response)[0]
    assert [claimed.job_id for claimed in claim_all()] == [job.pk]


def browser_with_message(client: Any, job: Job) -> Any:
    """Undo the first, and cancel once more, so that there is a message to be read."""
    (operation,) = BulkOperation.objects.filter(state="pending")
    client.post(f"/bulk-operations/{operation.pk}/stop/", {"undo": "1"})
    client.get("/jobs/")
    client.post(f"/jobs/{job.pk}/cancellation/")
    return client


@pytest.mark.usefixtures("undoable")
def test_an_undo_that_comes_too_late_says_so(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.operator)
    client.post("/jobs/cancellations/", {"job": [job.pk]})
    action, fields = undo_form(client, "/jobs/")
    run_all()
    assert "Too late" in said(client.post(action, fields))[0]
    assert statuses(job) == ["cancelled"]


@pytest.mark.usefixtures("undoable")
def test_a_deleted_job_is_gone_from_the_list_at_once_and_back_when_that_is_undone(world: World) -> None:
    job, other = make_done(world.org), make_done(world.org)
    client = browser(world.owner)
    assert client.post(f"/jobs/{job.pk}/deletion/", {"reason": "a test run"})["Location"] == "/jobs/"
    page = read(client.get("/jobs/"))
    assert job_ids(page) == [str(other.pk)]
    (operation,) = BulkOperation.objects.all()
    assert operation.reason == "a test run"
    client.post(f"/bulk-operations/{operation.pk}/stop/", {"undo": "1"})
    assert len(job_ids(read(client.get("/jobs/")))) == 2
    client.post(f"/jobs/{job.pk}/deletion/")
    run_all()
    assert statuses(job, other) == ["gone", "done"]


def test_without_an_undo_a_job_is_deleted_at_once(world: World) -> None:
    job, running = make_done(world.org), make_job(world.org)
    client = browser(world.owner)
    client.post(f"/jobs/{job.pk}/deletion/")
    client.post(f"/jobs/{running.pk}/deletion/")
    assert statuses(job, running) == ["gone", "queued"]


@pytest.mark.usefixtures("undoable")
def test_a_pause_is_undone_only_while_it_is_that_pause(world: World) -> None:
    make_job(world.org)
    client = browser(world.owner)
    client.post("/queues/default/pause/", {"reason": "x"})
    action, fields = undo_form(client, "/queues/")
    client.post("/queues/default/resume/")
    client.post("/queues/default/pause/", {"reason": "another"})
    assert "Too late" in said(client.post(action, fields))[-1]
    assert Queue.objects.get().paused

    version = Queue.objects.get().version
    client.post(f"/queues/default/pause/undo/?version={version}")
    assert not Queue.objects.get().paused
    assert AuditEntry.objects.filter(action="queue.resume", detail__undo=True).count() == 1
    client.post("/queues/default/pause/")
    Queue.objects.update(paused_at=Now() - timedelta(seconds=60))
    client.post(f"/queues/default/pause/undo/?version={Queue.objects.get().version}")
    assert Queue.objects.get().paused


# --- The page and the list ------------------------------------------------------------------------------------------


def test_progress_is_live_and_another_organisation_sees_nothing(world: World) -> None:
    make_job(world.org)
    client = browser(world.viewer)
    _, path, hidden = ask(browser(world.operator), "kind=cancel")
    browser(world.operator).post(path, hidden)
    (operation,) = BulkOperation.objects.all()
    here = f"/bulk-operations/{operation.pk}/"
    version = read(client.get(here)).by_id("bulk-operation").attributes["data-version"]
    assert client.get(here, {"v": version}, headers={"HX-Request": "true"}).status_code == 204
    run_all()
    assert client.get(here, {"v": version}, headers={"HX-Request": "true"}).status_code == 200
    assert "data-live" not in read(client.get(here)).by_id("bulk-operation").attributes
    assert browser(world.outsider).get(here).status_code == 404
    assert browser(world.outsider).post(f"{here}stop/").status_code == 404
    assert str(operation.pk) not in browser(world.outsider).get("/bulk-operations/").content.decode()


@pytest.mark.parametrize("rows", [1, 8])
def test_a_page_costs_the_same_queries_however_many_rows(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for _ in range(rows):
        job = make_job(world.org)
        browser(world.operator).post("/bulk-operations/selected/", {"kind": "cancel", "job": [job.pk]})
    run_all()
    client = browser(world.viewer)
    with django_assert_max_num_queries(12):
        assert client.get("/bulk-operations/").status_code == 200
    with django_assert_max_num_queries(12):
        client.get(f"/bulk-operations/{BulkOperation.objects.all()[0].pk}/")


# --- Small exports --------------------------------------------------------------------------------------------------


def test_a_list_is_downloaded_as_csv_or_lines(world: World) -> None:
    job = make_job(world.org, queue="a", title="=1+1")
    make_job(world.org, queue="b")
    client = browser(world.viewer)
    text = b"".join(client.get("/jobs/download/?format=csv&queue=a")).decode()
    header, row, *rest = text.splitlines()
    assert header.startswith("id,type,name,title")
    assert row.startswith(str(job.pk))
    assert "=1+1" not in row.split(",")
    assert rest == []
    lines = b"".join(client.get("/jobs/download/?format=jsonl")).decode().splitlines()
    assert len(lines) == 2
    assert AuditEntry.objects.filter(action="job.export").count() == 2


def test_what_is_more_takes_a_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "MOST", 1)
    for _ in range(2):
        make_dead_letter(world.org, queue="a")
    response = browser(world.operator).get("/dead-letters/download/?format=csv&queue=a")
    assert response["Location"] == "/dead-letters/export/?queue=a"
