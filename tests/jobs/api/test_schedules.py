"""/schedules/: jobs that are submitted again and again, and changes that say which version they are of."""

from typing import Any

import pytest
from django.db.models.functions import Now
from django.http import HttpResponse
from django.utils.dateparse import parse_datetime
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from jobs.models import Job, Schedule, ScheduleTick
from jobs.queue.fire import fire
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import api, make_member, make_org
from tests.jobs.api.refusals import ADD, assert_refused

pytestmark = pytest.mark.django_db

SCHEDULES = "/api/v1/schedules/"
NIGHTLY: dict[str, Any] = {"name": "nightly", "cron": "30 2 * * 1-5", "timezone": "Europe/Berlin", "job": ADD}


def made(client: APIClient, **fields: Any) -> dict[str, Any]:
    response = client.post(SCHEDULES, {**NIGHTLY, **fields})
    assert response.status_code == 201, response.content
    assert response["Location"] == f"{SCHEDULES}{response.json()['id']}/"
    body: dict[str, Any] = response.json()
    return body


def path_of(shown: dict[str, Any]) -> str:
    return f"{SCHEDULES}{shown['id']}/"


def change(client: APIClient, shown: dict[str, Any], tag: str | None = '"1"', **fields: Any) -> HttpResponse:
    headers = {} if tag is None else {"if-match": tag}
    response: HttpResponse = client.patch(path_of(shown), fields, headers=headers)
    return response


def kept() -> list[Any]:
    """All that a refused call could have changed."""
    told = AuditEntry.objects.exclude(action="access.denied").count()
    return [told, Job.objects.count(), *Schedule.objects.order_by("pk").values()]


# --- Make and see -----------------------------------------------------------------------------------------------


def test_a_schedule_says_in_words_and_times_when_it_is_due(world: World) -> None:
    shown = made(api(world.owner))

    assert shown["words"] == "At 02:30 on Monday through Friday"
    assert len(shown["next_runs"]) == 5
    assert parse_datetime(shown["next_runs"][0]) == parse_datetime(shown["next_at"])
    for text in shown["next_runs"]:
        at = parse_datetime(text)
        assert at is not None
        assert (at.hour, at.minute) == (2, 30)
        assert at.weekday() < 5
    assert shown["job"] == ADD
    assert (shown["missed"], shown["is_paused"], shown["created_by"]) == ("once", False, "owner")
    read = api(world.viewer).get(path_of(shown))
    assert read.json() == shown
    assert read["ETag"] == '"1"'
    (listed,) = api(world.viewer).get(SCHEDULES).json()["items"]
    assert listed.items() <= shown.items()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"cron": "* * * *"}, "/cron"),
        ({"cron": "61 * * * *"}, "/cron"),
        ({"cron": "0 0 31 2 *"}, "/cron"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"timezone": "../../etc/passwd"}, "/timezone"),
        ({"missed": "sometimes"}, "/missed"),
        ({"is_paused": "yes"}, "/is_paused"),
        ({"name": ""}, "/name"),
        ({"name": "x" * 65}, "/name"),
        ({"job": {"type": "python", "payload": {"task": "no.such.task"}}}, "/job/payload/task"),
        ({"job": {"type": "nothing", "payload": {}}}, "/job/type"),
        ({"job": {**ADD, "max_attempts": 1_000}}, "/job/max_attempts"),
        ({"job": {**ADD, "run_at": "2030-01-01T00:00:00Z"}}, "/job/run_at"),
        ({"job": {**ADD, "delay_seconds": 5}}, "/job/delay_seconds"),
        ({"job": {**ADD, "after": []}}, "/job/after"),
        ({"job": {**ADD, "queue": "No Queue"}}, "/job/queue"),
        ({"job": {**ADD, "stranger": 1}}, "/job/stranger"),
        ({"job": [ADD]}, "/job"),
        ({"job": None}, "/job"),
        ({"version": 7}, "/version"),
        ({"next_at": "2030-01-01T00:00:00Z"}, "/next_at"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_field(world: World, fields: dict[str, Any], pointer: str) -> None:
    client = api(world.owner)
    shown = made(client, name="before")
    before = kept()

    bodies = [
        assert_refused(client.post(SCHEDULES, {**NIGHTLY, **fields})),
        assert_refused(change(client, shown, **fields)),
    ]

    for body in bodies:
        assert any(error["pointer"].startswith(pointer) for error in body["errors"]), body
    assert kept() == before


def test_a_name_is_taken_once_in_an_organisation(world: World) -> None:
    client = api(world.owner)
    made(client)
    other = made(client, name="other")
    made(api(world.outsider))
    before = kept()

    assert assert_refused(client.post(SCHEDULES, NIGHTLY), 409)["type"].endswith("name_taken")
    assert_refused(change(client, other, name="nightly"), 409)
    assert kept() == before


def test_an_organisation_has_only_so_many(world: World, settings: Settings) -> None:
    settings.SCHEDULES_MAX = 2
    client = api(world.owner)
    made(client, name="a")
    made(client, name="b")

    assert_refused(client.post(SCHEDULES, NIGHTLY), 403)
    assert Schedule.objects.count() == 2


# --- Change -----------------------------------------------------------------------------------------------------


def test_a_change_is_of_the_version_that_was_read(world: World) -> None:
    client = api(world.owner)
    shown = made(client)

    first = change(client, shown, cron="@hourly")
    assert first.status_code == 200
    assert first["ETag"] == '"2"'
    before = kept()
    for stale in ('"1"', 'W/"2"', '"2", "3"', "2", '"x"', '""', '"99999999999"'):
        assert_refused(change(client, shown, stale, cron="@daily"), 412)
        assert_refused(client.delete(path_of(shown), headers={"if-match": stale}), 412)
    assert_refused(change(client, shown, None, cron="@daily"), 428)
    assert_refused(client.delete(path_of(shown)), 428)
    assert kept() == before

    assert change(client, shown, "*", cron="@daily").status_code == 200
    assert client.delete(path_of(shown), headers={"if-match": '"3"'}).status_code == 204
    assert_refused(client.get(path_of(shown)), 404)
    actions = AuditEntry.objects.filter(target=shown["id"]).order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["schedule.create", "schedule.change", "schedule.change", "schedule.remove"]
    changed = AuditEntry.objects.filter(action="schedule.change").earliest("pk").detail
    assert (changed["old"]["cron"], changed["new"]["cron"]) == ("30 2 * * 1-5", "@hourly")


@pytest.mark.django_db(transaction=True)
def test_of_changes_at_once_to_one_version_one_is_made() -> None:
    org = make_org("acme")
    client = api(make_member(org, Role.ORG_ADMIN))
    shown = made(client)

    answers = at_once(*[lambda n=n: change(client, shown, name=f"n{n}").status_code for n in range(8)])

    assert sorted(answers) == [200] + [412] * 7
    assert Schedule.objects.get().version == 2


def test_nothing_changed_is_no_new_version(world: World) -> None:
    client = api(world.owner)
    shown = made(client)

    assert change(client, shown, cron=shown["cron"])["ETag"] == '"1"'


def test_a_pause_ends_when_it_is_resumed_and_makes_up_for_nothing(world: World) -> None:
    client = api(world.owner)
    shown = made(client, cron="* * * * *", missed="all")

    paused = change(client, shown, is_paused=True).json()
    assert (paused["is_paused"], paused["next_at"], paused["next_runs"]) == (True, None, [])
    resumed = change(client, shown, '"2"', is_paused=False).json()

    assert resumed["next_at"] is not None
    assert not Schedule.objects.filter(next_at__lte=Now()).exists()


# --- Run --------------------------------------------------------------------------------------------------------


def test_it_is_run_now_in_the_callers_name(world: World) -> None:
    shown = made(api(world.owner))
    client = api(world.operator)

    first = client.post(f"{path_of(shown)}run/", headers={"idempotency-key": "k"})
    again = client.post(f"{path_of(shown)}run/", headers={"idempotency-key": "k"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["created_by"] == "operator"
    assert api(world.owner).get(path_of(shown)).json()["next_at"] == shown["next_at"]


def test_its_times_are_listed_the_latest_first(world: World) -> None:
    shown = made(api(world.owner), cron="* * * * *", missed="all")
    for _ in range(2):
        Schedule.objects.update(next_at=Now())
        ScheduleTick.objects.all().delete()
        fire(1)
    client = api(world.viewer)

    (tick,) = client.get(f"{path_of(shown)}ticks/").json()["items"]

    job = client.get(tick["status_url"]).json()
    assert (tick["outcome"], tick["job_id"], tick["at"]) == ("fired", job["id"], job["run_at"])
    assert job["created_by"] is None
