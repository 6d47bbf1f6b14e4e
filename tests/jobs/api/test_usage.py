"""Quotas over REST and on pages: what is used, who sets them, and what a refusal says."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Job
from orgs.models import AuditEntry
from tests.analytics.rows import roll_up
from tests.conftest import World
from tests.factories import PastRun, api, browser, make_job, make_runs
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

JOB = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
PLATFORM = "/api/v1/platform/orgs/acme/"
USAGE = "/api/v1/orgs/acme/usage/"


def quota(world: World, **sent: int | None) -> Any:
    return api(world.platform_admin).patch(PLATFORM, sent)


def assert_full(answer: Any, status: int, **members: Any) -> None:
    body = answer.json()
    assert answer.status_code == status, body
    assert answer["Content-Type"] == "application/problem+json"
    assert body["type"] == "urn:smartqueue:problem:org_quota_exceeded"
    assert {name: body[name] for name in members} == members
    assert str(body["limit"]) in body["detail"]


def test_a_member_sees_what_is_used_and_of_what(world: World, settings: Settings) -> None:
    make_job(world.org)
    make_job(world.rival)
    quota(world, max_waiting_jobs=10)

    body = api(world.viewer).get(USAGE).json()

    assert body["weight"] == 1
    assert body["quotas"] == [
        {"quota": "waiting_jobs", "limit": 10, "used": 1, "own": True},
        {"quota": "payload_bytes", "limit": settings.WAITING_MAX_PAYLOAD_BYTES, "used": 42, "own": False},
        {"quota": "schedules", "limit": settings.SCHEDULES_MAX, "used": 0, "own": False},
        {"quota": "artefact_bytes", "limit": settings.ARTEFACT_ORG_MAX_BYTES, "used": 0, "own": False},
    ]
    assert api(world.outsider).get(USAGE).status_code == 404


def test_a_refused_submit_says_which_quota_what_it_is_and_what_is_used(world: World) -> None:
    quota(world, max_waiting_jobs=2)
    client = api(world.operator)
    client.post("/api/v1/jobs/", JOB)

    bulk = client.post("/api/v1/jobs/bulk/", {"jobs": [JOB] * 3}).json()
    single = client.post("/api/v1/jobs/", JOB)
    batch = client.post("/api/v1/batches/", {"jobs": [JOB]})

    assert (bulk["created"], bulk["refused"]) == (1, 2)
    assert bulk["items"][1]["code"] == "org_quota_exceeded"
    for answer in (single, batch):
        assert_full(answer, 429, quota="waiting_jobs", limit=2, used=2)
        assert int(answer["Retry-After"]) >= 1
    assert Job.objects.count() == 2
    page = browser(world.operator).post(
        "/jobs/submit/",
        {
            "type": "http",
            "as": "json",
            "queue": "default",
            "urgency": "medium",
            "once": "a",
            "raw": '{"url": "https://e.org/"}',
        },
    )
    assert page.status_code == 429
    assert "may have 2 waiting jobs and has 2" in page.content.decode()


def test_a_refused_schedule_and_a_refused_file_say_so(world: World) -> None:
    quota(world, max_schedules=0, max_artefact_bytes=3)
    client = api(world.owner)

    schedule = client.post("/api/v1/schedules/", {"name": "n", "cron": "@hourly", "job": JOB})
    file = client.post("/api/v1/artefacts/?name=a.txt", b"four", content_type="text/plain")

    assert_full(schedule, 403, quota="schedules", limit=0, used=0)
    assert_full(file, 403, quota="artefact_bytes", limit=3, used=0)


def test_a_platform_admin_sets_quotas_and_takes_them_back(world: World) -> None:
    answer = quota(world, max_waiting_jobs=5, max_schedules=7)
    assert (answer.status_code, answer.json()["max_waiting_jobs"], answer.json()["max_payload_bytes"]) == (200, 5, None)

    back = quota(world, max_waiting_jobs=None)

    assert (back.json()["max_waiting_jobs"], back.json()["max_schedules"]) == (None, 7)
    entries = list(AuditEntry.objects.filter(action="org.quotas").order_by("pk").values_list("detail", flat=True))
    assert entries == [
        {"old": {"max_waiting_jobs": None, "max_schedules": None}, "new": {"max_waiting_jobs": 5, "max_schedules": 7}},
        {"old": {"max_waiting_jobs": 5}, "new": {"max_waiting_jobs": None}},
    ]
    assert not AuditEntry.objects.filter(action="org.weight").exists()
    for bad in (-1, "5", 1.5, 10**15 + 1, True):
        assert quota(world, max_waiting_jobs=bad).status_code == 400
    assert api(world.owner).patch(PLATFORM, {"max_waiting_jobs": 5}).status_code == 403
    assert api(world.owner).patch("/api/v1/orgs/acme/", {"max_waiting_jobs": 5}).status_code == 400


def test_the_page_shows_what_is_used_and_what_is_full(world: World) -> None:
    quota(world, max_waiting_jobs=1, max_artefact_bytes=2_000_000)
    make_job(world.org)
    client = browser(world.viewer)

    text = " ".join(client.get("/usage/").content.decode().split())

    assert "Waiting jobs" in text
    assert "<strong>Full</strong>" in text
    assert "set for Acme" in text
    assert '<a href="/usage/"' in client.get("/queues/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_what_has_run(world: World) -> None:
    make_runs(world.org, [PastRun(90_000.0), PastRun(30_000.0), PastRun(1_000.0, failed=True)])
    make_runs(world.rival, [PastRun(5_000.0)])
    roll_up()

    facts = read(browser(world.viewer).get("/usage/")).one("section", aria_labelledby="ran-title").all("dd")

    assert [one.text for one in facts] == ["0", "2", "2 m", "1"]


def test_the_admin_sets_them_too(world: World) -> None:
    client = browser(world.platform_admin)
    path = f"/admin/orgs/org/{world.org.pk}/change/"
    sent = {"slug": "acme", "name": "Acme", "shell_programs": "[]", "job_settings": "{}", "weight": "2"}

    answer = client.post(path, {**sent, "max_waiting_jobs": "12", "max_payload_bytes": ""})

    assert answer.status_code == 302, answer.content.decode()
    world.org.refresh_from_db()
    assert (world.org.max_waiting_jobs, world.org.max_payload_bytes, world.org.weight) == (12, None, 2)
    assert AuditEntry.objects.filter(action="admin.change", detail__new__max_waiting_jobs="12").exists()
    assert client.post(path, {**sent, "max_waiting_jobs": "-1"}).status_code == 200
