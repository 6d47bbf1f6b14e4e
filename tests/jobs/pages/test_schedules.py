"""The pages of schedules: what they say, and what people do there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from jobs.cron import Cron
from jobs.models import Job, Schedule, ScheduleTick
from jobs.pages.upcoming import upcoming
from jobs.queue.fire import fire
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import browser, make_done
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

JOB: dict[str, Any] = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
FORM = {
    "schedule-name": "nightly", "schedule-cron": "30 2 * * 1-5", "schedule-timezone": "Europe/Berlin",
    "schedule-missed": "once", "type": "python", "task": "demo.add", "kwargs": '{"a": 20, "b": 22}',
    "queue": "reports", "once": "1",
}  # fmt: skip


def make(world: World, **fields: Any) -> Schedule:
    return Schedule.objects.create(
        org=world.org, **{"name": "s", "cron": "@daily", "job": JOB, "next_at": Now(), **fields}
    )


def test_an_empty_list_teaches(world: World) -> None:
    page = read(browser(world.owner).get("/schedules/"))
    (empty,) = page.all("div", css="empty")
    assert "30 2 * * 1-5" in empty.text
    assert page.all("a", href="/schedules/new/?cron=30+2+*+*+1-5&timezone=Europe%2FBerlin")


def test_a_schedule_is_made_by_its_form(world: World) -> None:
    response = browser(world.owner).post("/schedules/new/", FORM)

    made = Schedule.objects.get()
    assert response["Location"] == f"/schedules/{made.pk}/"
    assert (made.name, made.cron, made.timezone, made.is_paused) == ("nightly", "30 2 * * 1-5", "Europe/Berlin", False)
    assert made.job == {
        "type": "python", "queue": "reports", "payload": {"task": "demo.add", "kwargs": {"a": 20, "b": 22}},
    }  # fmt: skip
    assert AuditEntry.objects.get(action="schedule.create").actor == world.owner
    page = read(browser(world.viewer).get(response["Location"])).text
    assert "At 02:30 on Monday through Friday" in page
    assert "Europe/Berlin" in page


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("schedule-cron", "61 * * * *", "Bad minute"),
        ("schedule-timezone", "Mars/Base", "There is no time zone"),
        ("schedule-name", "", "This field is required"),
        ("kwargs", '{"a": 1}', "required"),
        ("kwargs", "{", "This is no JSON"),
        ("queue", "No Queue", "lower-case"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(world: World, field: str, value: str, said: str) -> None:
    response = browser(world.owner).post("/schedules/new/", {**FORM, field: value})
    assert response.status_code == 400
    assert said in read(response).text
    assert not Schedule.objects.exists()


def test_a_name_that_is_taken_is_said(world: World) -> None:
    make(world, name="nightly")
    response = browser(world.owner).post("/schedules/new/", FORM)
    assert response.status_code == 400
    assert "There is one of this name" in read(response).text or "of this name already" in read(response).text


def test_the_preview_says_it_in_words_with_the_next_times(world: World) -> None:
    client = browser(world.viewer)
    asked = {"schedule-cron": "*/5 * * * *", "schedule-timezone": "Asia/Tokyo"}
    page = read(client.get("/schedules/preview/", asked))
    assert "Every fifth minute" in page.text
    assert len(page.one("tbody").all("tr")) == 5
    assert "five fields" in read(client.get("/schedules/preview/", {"schedule-cron": "x"})).text.lower()
    assert "Bad day-of-month" in read(client.get("/schedules/preview/", {"schedule-cron": "0 0 31 2 *"})).text


def test_a_change_of_clocks_among_the_next_times_is_noted() -> None:
    autumn = upcoming(Cron("30 2 * * *", "Europe/Berlin"), datetime(2026, 10, 23, 12, tzinfo=UTC))
    assert autumn.change is not None
    assert (autumn.change.forward, autumn.change.hours) == (False, 1.0)
    assert autumn.change.run.local.startswith("Mon 26 Oct") or autumn.change.run.local.startswith("Sun 25 Oct")
    spring = upcoming(Cron("0 12 * * *", "Europe/Berlin"), datetime(2026, 3, 27, 0, tzinfo=UTC))
    assert spring.change is not None
    assert spring.change.forward
    assert [run.offset for run in spring.runs[1:3]] == ["+01:00", "+02:00"]
    assert upcoming(Cron("0 12 * * *", "UTC"), datetime(2026, 3, 27, tzinfo=UTC)).change is None


def test_a_stale_form_is_refused_with_what_the_other_wrote(world: World) -> None:
    schedule = make(world, cron="0 1 * * *")
    path = f"/schedules/{schedule.pk}/edit/"
    client = browser(world.owner)
    version = read(client.get(path)).one("input", name="version").attributes["value"]
    other = {**FORM, "schedule-cron": "0 5 * * *", "schedule-name": "theirs", "version": version}
    assert browser(world.owner).post(path, other).status_code == 302

    mine = {**FORM, "schedule-cron": "0 9 * * *", "schedule-name": "mine", "version": version}
    refused = client.post(path, mine)

    assert refused.status_code == 409
    page = read(refused)
    told = page.by_id("theirs").text
    assert all(text in told for text in ("theirs", "mine", "0 5 * * *", "0 9 * * *"))
    assert Schedule.objects.get().name == "theirs"
    # what he typed is still there, and a second save is of the version that he has seen now
    assert page.one("input", name="schedule-name").attributes["value"] == "mine"
    again = page.one("input", name="version").attributes["value"]
    assert client.post(path, {**mine, "version": again}).status_code == 302
    assert Schedule.objects.get().name == "mine"


def test_a_form_with_another_fault_keeps_the_version_it_began_with(world: World) -> None:
    schedule = make(world)
    path = f"/schedules/{schedule.pk}/edit/"
    Schedule.objects.update(version=7)
    page = read(browser(world.owner).post(path, {**FORM, "schedule-cron": "x", "version": "3"}))
    assert page.one("input", name="version").attributes["value"] == "3"


def test_what_the_form_cannot_say_stays_and_what_is_hidden_is_kept(world: World) -> None:
    payload = {"method": "GET", "url": "https://example.com/", "headers": {"Authorization": "Bearer abc"}}
    schedule = make(world, job={"type": "http", "payload": payload, "queue": "q", "limit_key": "customer/7"})
    client, path = browser(world.owner), f"/schedules/{schedule.pk}/edit/"
    form = read(client.get(path)).one("form", id="schedule-form")
    assert "abc" not in form.raw
    sent = {
        one.attributes["name"]: one.attributes.get("value", "") for one in form.all("input") if "name" in one.attributes
    }
    sent |= {one.attributes["name"]: one.raw.strip() for one in form.all("textarea")}
    for select in form.all("select"):
        chosen = [one for one in select.all("option") if "selected" in one.attributes] or select.all("option")
        sent[select.attributes["name"]] = chosen[0].attributes.get("value", chosen[0].text)
    sent.pop("schedule-is_paused", None)

    assert client.post(path, {**sent, "schedule-name": "renamed"}).status_code == 302

    schedule.refresh_from_db()
    assert schedule.name == "renamed"
    assert schedule.job["limit_key"] == "customer/7"
    assert schedule.job["payload"]["headers"] == {"Authorization": "Bearer abc"}


def test_pausing_says_who_when_and_why_and_resuming_ends_it(world: World) -> None:
    schedule = make(world)
    client = browser(world.owner)

    client.post(f"/schedules/{schedule.pk}/pause/", {"reason": "holidays"})

    text = read(browser(world.viewer).get(f"/schedules/{schedule.pk}/")).by_id("paused").text
    assert all(part in text for part in ("Paused", "by owner", "holidays"))
    schedule.refresh_from_db()
    assert (schedule.is_paused, schedule.next_at) == (True, None)
    assert AuditEntry.objects.get(action="schedule.change").detail["reason"] == "holidays"
    client.post(f"/schedules/{schedule.pk}/resume/")
    schedule.refresh_from_db()
    assert (schedule.is_paused, schedule.pause_reason, schedule.paused_by, schedule.next_at is not None) == (
        False, "", None, True,
    )  # fmt: skip


def test_run_now_brings_one_job_however_often_it_is_pressed(world: World) -> None:
    schedule = make(world)
    client = browser(world.operator)
    first = client.post(f"/schedules/{schedule.pk}/run/", {"once": "a"})
    again = client.post(f"/schedules/{schedule.pk}/run/", {"once": "a"})
    job = Job.objects.get()
    assert first["Location"] == again["Location"] == f"/jobs/{job.pk}/"


def test_removing_asks_for_the_version_that_was_seen(world: World) -> None:
    schedule = make(world)
    client = browser(world.owner)
    Schedule.objects.update(version=2)
    client.post(f"/schedules/{schedule.pk}/removal/", {"version": "1"})
    assert Schedule.objects.exists()
    client.post(f"/schedules/{schedule.pk}/removal/", {"version": "2"})
    assert not Schedule.objects.exists()


def test_the_last_result_and_the_history_link_to_their_jobs(world: World) -> None:
    schedule = make(world)
    assert fire(1) is False
    job = Job.objects.get()
    now = timezone.now()
    for minutes, outcome in ((60, "missed"), (120, "refused")):
        at = now - timedelta(minutes=minutes)
        ScheduleTick.objects.create(
            schedule=schedule, at=at, outcome=outcome, error="no such task", fired_at=at, epoch=1
        )

    row = read(browser(world.viewer).get("/schedules/")).by_id(f"schedule-{schedule.pk}")
    assert row.all("a", href=f"/jobs/{job.pk}/")
    history = read(browser(world.viewer).get(f"/schedules/{schedule.pk}/")).by_id("history")
    assert [word for word in ("queued", "missed", "refused", "no such task") if word in history.text] == [
        "queued", "missed", "refused", "no such task",
    ]  # fmt: skip


def test_pages_of_history_and_of_schedules_go_on_by_key(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.pages.schedules.PAGE_SIZE", 2)
    for name in "abc":
        schedule = make(world, name=name)
    now = timezone.now()
    for minutes in range(5):
        at = now - timedelta(minutes=minutes)
        ScheduleTick.objects.create(schedule=schedule, at=at, outcome="missed", fired_at=at, epoch=1)
    client = browser(world.viewer)

    names, path = [], "/schedules/"
    for _ in range(2):
        page = read(client.get(path))
        names += [one.text for one in page.all("a", css="name")]
        path = (page.all("a", rel="next") or [page])[0].attributes.get("href", "")
    assert (names, path) == (["a", "b", "c"], "")
    rows, path = 0, f"/schedules/{schedule.pk}/"
    for _ in range(3):
        history = read(client.get(path)).by_id("history")
        rows += len(history.one("tbody").all("tr"))
        path = (history.all("a", rel="next") or [history])[0].attributes.get("href", "")
    assert (rows, path) == (5, "")


@pytest.mark.parametrize("query", ["before=x", "before=9999-99-99", "before=2026-01-01T00:00:00"])
def test_a_cursor_that_is_none_is_refused(world: World, query: str) -> None:
    schedule = make(world)
    assert browser(world.viewer).get(f"/schedules/{schedule.pk}/?{query}").status_code == 400


def test_others_see_nothing_and_viewers_change_nothing(world: World) -> None:
    schedule = make(world)
    assert browser(world.outsider).get(f"/schedules/{schedule.pk}/").status_code == 404
    page = read(browser(world.viewer).get(f"/schedules/{schedule.pk}/"))
    assert all("disabled" in one.attributes for one in page.by_id("history").all("button"))
    for act in ("pause", "resume", "removal", "run"):
        assert browser(world.viewer).post(f"/schedules/{schedule.pk}/{act}/").status_code == 403
    assert browser(world.operator).post("/schedules/new/", FORM).status_code == 403


@pytest.mark.parametrize("rows", [1, 10])
def test_the_list_costs_the_same_queries_however_long(
    world: World, django_assert_num_queries: DjangoAssertNumQueries, rows: int
) -> None:
    for number in range(rows):
        schedule = make(world, name=f"s{number}")
        ScheduleTick.objects.create(
            schedule=schedule, at=Now(), outcome="fired", job_id=make_done(world.org).pk, fired_at=Now(), epoch=1
        )
    client = browser(world.viewer)
    with django_assert_num_queries(5):
        client.get("/schedules/")
