"""Nobody who may submit jobs can have a function of his choice imported and run."""

import sys
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from jobs.backend import using_org
from jobs.errors import InvalidPayload, UnknownJobType
from jobs.handlers import registry
from jobs.handlers.django_task import Call, DjangoTaskHandler
from jobs.handlers.schemas import faults
from jobs.models import Job
from jobs.states import Outcome
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, browser, claim_all, finish_one
from tests.jobs.backend import tasks
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

PAYLOAD = {"task": "antigravity.fly", "args": [], "kwargs": {}, "backend": "default", "priority": 0}
BODY = {"type": "django-task", "payload": PAYLOAD}
SENTENCE = "Jobs of this type are made by the application's code, with task.enqueue()."
PEOPLE = pytest.mark.parametrize("who", ["owner", "operator", "platform_admin"])


def client(world: World, who: str) -> APIClient:
    return api(getattr(world, who), world.org)


@pytest.fixture
def dead_letter(world: World) -> Job:
    with using_org(world.org):
        tasks.nothing.enqueue(1)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.ERROR, error_type="builtins.ValueError", error="broken", permanent=True)
    return Job.objects.get()


def assert_nothing_happened() -> None:
    assert not Job.objects.exclude(status="failed").exists()
    assert "antigravity" not in sys.modules


@PEOPLE
@pytest.mark.parametrize("payload", [PAYLOAD, {**PAYLOAD, "task": "tests.jobs.backend.tasks.nothing"}, {}])
def test_it_cannot_be_submitted(who: str, payload: dict[str, Any], world: World) -> None:
    response = client(world, who).post("/api/v1/jobs/", {"type": "django-task", "payload": payload})

    assert response.status_code == 400
    assert response.json()["errors"] == [{"pointer": "/payload", "code": "invalid", "detail": SENTENCE}]
    assert_nothing_happened()


@PEOPLE
def test_nor_in_the_words_of_older_clients(who: str, world: World) -> None:
    response = client(world, who).post("/api/v1/tasks/", BODY)

    assert (response.status_code, response.json()["errors"][0]["detail"]) == (400, SENTENCE)
    assert_nothing_happened()


@PEOPLE
def test_nor_among_many(who: str, world: World) -> None:
    good = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}

    response = client(world, who).post("/api/v1/jobs/bulk/", {"jobs": [BODY, good]})

    assert response.status_code == 207
    refused, created = response.json()["items"]
    assert (refused["status"], refused["errors"][0]["detail"]) == ("refused", SENTENCE)
    assert refused["errors"][0]["pointer"] == "/jobs/0/payload"
    assert created["status"] == "created"
    assert [job.type for job in Job.objects.all()] == ["python"]


@PEOPLE
def test_nor_by_editing_a_dead_letter(who: str, dead_letter: Job, world: World) -> None:
    response = client(world, who).post(f"/api/v1/jobs/{dead_letter.pk}/replay/", {"payload": PAYLOAD})

    assert (response.status_code, response.json()["errors"][0]["detail"]) == (400, SENTENCE)
    assert_nothing_happened()
    assert not AuditEntry.objects.filter(action="job.replay").exists()


def test_a_dead_letter_may_be_replayed_as_it_is(dead_letter: Job, world: World) -> None:
    response = api(world.operator).post(f"/api/v1/jobs/{dead_letter.pk}/replay/", {})

    assert response.status_code == 200
    assert Job.objects.get().payload["args"] == [1]
    assert Job.objects.get().status == "queued"


# --- Pages ------------------------------------------------------------------------------------------------------


@pytest.fixture
def page_user(world: World) -> Client:
    return browser(world.owner)


def test_there_is_no_form_for_it(page_user: Client) -> None:
    page = read(page_user.get("/jobs/submit/?type=django-task"))

    assert "django-task" not in page.text
    assert "django-task" not in [one.attributes.get("value") for one in page.walk()]


def test_a_form_cannot_be_made_to_submit_it(page_user: Client) -> None:
    sent = {"type": "django-task", "as": "json", "raw": "{}", "queue": "default", "urgency": "medium", "once": "1"}
    page_user.post("/jobs/submit/", sent)

    assert not Job.objects.filter(type="django-task").exists()


def test_the_page_of_a_job_offers_no_other_payload(dead_letter: Job, page_user: Client) -> None:
    page = read(page_user.get(f"/jobs/{dead_letter.pk}/"))

    buttons = [one.text for one in [*page.all("button"), *page.all("a"), *page.all("summary")]]
    assert "Replay" in buttons
    assert not {"Edit and replay", "Submit again", "The same with curl, Python or sq"} & set(buttons)
    assert "tests.jobs.backend.tasks.nothing" in page.text
    assert "builtins.ValueError" in page.text


def test_nor_can_one_be_sent(dead_letter: Job, page_user: Client) -> None:
    response = page_user.post(f"/jobs/{dead_letter.pk}/replay/", {"payload": '{"task": "antigravity.fly"}'})

    assert response.status_code == 400
    assert SENTENCE in read(response).text
    assert_nothing_happened()


# --- The catalogue ----------------------------------------------------------------------------------------------


def test_it_is_not_offered(world: World) -> None:
    items = api(world.viewer).get("/api/v1/job-types/").json()["items"]

    assert "django-task" not in [item["type"] for item in items]
    assert "python" in [item["type"] for item in items]
    assert "django-task" in registry.types()
    assert "django-task" not in registry.offered()


def test_it_is_not_named_to_who_asks_for_an_unknown_type() -> None:
    with pytest.raises(UnknownJobType) as refusal:
        registry.get("antigravity")

    assert "django-task" not in refusal.value.detail


def test_jobs_of_it_are_listed_and_found(dead_letter: Job, world: World) -> None:
    items = api(world.viewer).get("/api/v1/jobs/", {"type": "django-task"}).json()["items"]

    assert [item["id"] for item in items] == [str(dead_letter.pk)]


def test_only_what_the_backend_made_passes() -> None:
    handler = DjangoTaskHandler()

    handler.check(Call(PAYLOAD), {})
    with pytest.raises(InvalidPayload):
        handler.check(dict(PAYLOAD), {})


def test_what_the_backend_makes_fits_the_schema(world: World) -> None:
    with using_org(world.org):
        tasks.of_priority_7.enqueue()

    assert faults(DjangoTaskHandler().validator, Job.objects.get().payload) == []
