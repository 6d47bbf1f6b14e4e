"""docs/job-types.md: every example works as it stands there, and every name in it exists."""

import inspect
import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers import registry
from jobs.handlers.etl.expressions import FUNCTIONS
from jobs.handlers.etl.payload import STEP
from jobs.handlers.etl.steps import AGGREGATES
from jobs.handlers.python_task import task
from jobs.handlers.signatures import signature_of
from jobs.models import Job
from jobs.queue.external import Puller, pull
from jobs.queue.finish import finish
from tests.conftest import World
from tests.factories import api, claim_all, finish_one
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.handlers.pictures import encoded, picture
from tests.jobs.handlers.server import Server

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "job-types.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CURLS = [text for kind, text in BLOCKS if text.startswith("curl ")]
SHOWN = [
    (curl, json.loads(after[1]))
    for (_, curl), after in pairwise(BLOCKS)
    if curl.startswith("curl ") and after[0] == "json"
]


def section(type: str) -> str:
    """The part of the text about a job type."""
    parts = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    (found,) = [part for part in parts if part.startswith(f"{type}\n")]
    return found


@pytest.fixture
def places(server: Server, settings: Settings, world: World, tmp_path: Path) -> dict[str, str]:
    """What stands for the two servers that the examples speak of; and programs for the organisation."""
    server.on("/healthz", body='{"status": "ok"}', headers={"Content-Type": "application/json"})
    server.on("/orders", 201)
    server.on("/photo.jpg", body=encoded(picture((1200, 800)), "JPEG"), headers={"Content-Type": "image/jpeg"})
    server.on("/static/sample.png", body=(ROOT / "static" / "sample.png").read_bytes())
    settings.SHELL_SANDBOX = "auto"
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")
    world.org.shell_programs = settings.SHELL_PROGRAMS
    world.org.save()
    return {"127.0.0.1:8000": server.authority, "127.0.0.1:9000": server.authority}


def submitted(curl: str, places: dict[str, str], world: World) -> Job:
    """What the shell would make of the command, sent by a client that is signed in."""
    words = shlex.split(curl.replace("\\\n", ""))
    assert words[:3] == ["curl", "-s", "$URL/api/v1/jobs/"]
    body = words[words.index("-d") + 1]
    for place, ours in places.items():
        body = body.replace(place, ours)
    headers = [words[index + 1] for index, word in enumerate(words) if word == "-H"]
    assert headers == ["Authorization: Bearer $TOKEN", "Content-Type: application/json"]
    response = api(world.operator).post("/api/v1/jobs/", body, content_type="application/json")
    assert response.status_code == 201, response.content
    return Job.objects.get(pk=response.json()["id"])


@pytest.mark.django_db
@pytest.mark.parametrize("curl", CURLS)
def test_every_example_can_be_submitted_and_is_done(curl: str, places: dict[str, str], world: World) -> None:
    job = submitted(curl, places, world)

    if job.type == "external":
        (claimed,) = pull(Puller(world.org.pk, "w"), queues=[job.queue], slots=1, lease_seconds=30)
        assert claimed.payload == job.payload
        assert finish_one(claimed, result=1)
    else:
        finish([make_attempt(claimed).run() for claimed in claim_all()], worker_name="tester-1")

    job.refresh_from_db()
    assert job.status == "done", job.error
    assert job.result


@pytest.mark.django_db
@pytest.mark.parametrize(("curl", "result"), SHOWN)
def test_every_result_is_as_shown(curl: str, result: dict[str, Any], places: dict[str, str], world: World) -> None:
    job = submitted(curl, places, world)

    (end,) = [make_attempt(claimed).run() for claimed in claim_all()]

    assert end.claimed.job_id == job.pk
    assert end.result.keys() == result.keys()
    assert without_what_differs(end.result) == without_what_differs(result)


def without_what_differs(value: Any) -> Any:
    """From one machine, time or job to the next."""
    if isinstance(value, list):
        return [without_what_differs(one) for one in value]
    if not isinstance(value, dict):
        return value
    names = "artefact bytes elapsed_ms headers message_id model_artefact sandbox snapshot_at url"
    differs = set(names.split())
    return {name: without_what_differs(one) for name, one in value.items() if name not in differs}


def test_there_are_examples_of_each_type() -> None:
    types = [json.loads(shlex.split(curl)[-1].replace("\n", " "))["type"] for curl in CURLS]
    assert sorted(set(types)) == registry.offered()
    # what an own worker answers is its own affair
    shown = {shlex.split(curl)[-1] for curl, _ in SHOWN}
    assert {json.loads(text.replace(chr(10), " "))["type"] for text in shown} == set(types) - {"external"}


@pytest.mark.parametrize("type", registry.offered())
def test_every_field_of_a_payload_is_described(type: str) -> None:
    described = {
        name
        for row in re.findall(r"^\| (`[^|]*) \|", section(type), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert set(registry.get(type).schema["properties"]) <= described


def test_the_other_payload_of_etl_is_one(settings: Settings) -> None:
    settings.CONNECTIONS = {"warehouse": {"url": "postgres://db/x", "read": True, "write": ["shop.totals"]}}
    (text,) = [text for kind, text in BLOCKS if kind == "json" and '"steps"' in text]

    registry.get("etl").check(json.loads(text), {"connections": ["warehouse"]})


def test_every_step_and_function_of_etl_is_described() -> None:
    steps = set(STEP["properties"])
    assert steps == {name for name in steps if f'| `{{"{name}"' in section("etl")}
    words = set(re.findall(r"\w+", section("etl").partition("**Expressions**")[2].partition("| sink |")[0]))
    assert set(FUNCTIONS) <= words
    assert set(AGGREGATES) <= set(re.findall(r"`(\w+)`", section("etl")))


def test_every_setting_exists() -> None:
    settings = (ROOT / "smartqueue" / "settings.py").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(SMARTQUEUE_[A-Z_]+)`", TEXT, re.MULTILINE))
    assert len(named) > 15
    assert [name for name in named if f'"{name}"' not in settings] == []


def test_the_tasks_in_the_text_are_tasks() -> None:
    space: dict[str, Any] = {"__name__": "acme.billing.tasks"}
    asked: list[dict[str, bool]] = []
    for text in (text for kind, text in BLOCKS if kind == "python"):
        # as @task would take them, but for being known to the rest of the tests
        space["noted"] = lambda **kinds: asked.append(kinds) or (lambda function: function)
        plain = text.replace("@task(", "@noted(").replace("@task\n", "")
        exec(compile(plain, "acme/billing/tasks.py", "exec"), space)  # noqa: S102 our own text

    signature = signature_of(space["charge"])

    assert signature.takes_context
    assert signature.schema["required"] == ["customer", "cents"]
    assert signature_of(space["book"]).schema["required"] == ["account", "cents", "event"]
    assert signature_of(space["shout"]).schema["required"] == ["artefact"]
    assert asked == [{"isolated": True}, {"transactional": True}, {"files": True}]
    assert {name for kinds in asked for name in kinds} <= set(inspect.signature(task).parameters)


@pytest.mark.django_db
@pytest.mark.parametrize("type", sorted({*registry.offered()} & {*registry.performed()}))
def test_the_example_of_each_type_is_done(
    type: str, places: dict[str, str], world: World, server: Server, settings: Settings
) -> None:
    settings.PUBLIC_URL = server.url
    handler = registry.get(type)
    response = api(world.operator).post("/api/v1/jobs/", {"type": type, "payload": dict(handler.example)})
    assert response.status_code == 201, response.content

    (end,) = [make_attempt(claimed).run() for claimed in claim_all()]

    assert end.outcome == "done"
    assert handler.title
    assert handler.description.endswith(".")
