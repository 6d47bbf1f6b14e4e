"""What the submit form tells before anything is sent: the forecast, and the arguments of a task."""

import pytest
from django.utils import timezone

from jobs.models import Job, WorkerProcess
from jobs.queue.keep_order import keep_backlog
from orgs.models import User
from tests.conftest import World
from tests.factories import browser, make_history, make_job
from tests.jobs.pages.pages import read
from tests.jobs.pages.test_submit import COMMON, PYTHON, submit

pytestmark = pytest.mark.django_db


def serve(queue: str) -> None:
    times = {"started_at": timezone.now(), "beat_at": timezone.now()}
    shape = {"kind": "worker", "hostname": "h", "pid": 1, "version": "0", "slots": 1, "types": ["python"]}
    WorkerProcess.objects.create(id="01900000-0000-7000-8000-00000000000a", queues=[queue], **shape, **times)


def forecast(user: User, **fields: str) -> str:
    response = browser(user).post("/jobs/forecast/", {**COMMON, **fields}, headers={"HX-Request": "true"})
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    return read(response).text


def test_the_forecast_tells_runtime_and_start_before_anything_is_stored(world: World) -> None:
    serve("default")
    make_job(world.org)
    keep_backlog()

    told = forecast(world.operator, **{**PYTHON, "kwargs": "{}"})

    assert "Takes about 2.0 s ; starts in about 2.0 s (500 ms to 5.0 s)." in told
    assert Job.objects.count() == 1


def test_the_forecast_of_what_has_run_has_a_range_and_a_chance_of_failure(world: World) -> None:
    make_history(world.org, [900.0] * 20, user=world.operator)

    told = forecast(world.operator, **{**PYTHON, "kwargs": "{}"})

    assert ", between " in told
    assert "Chance of failure 0 %" in told


def test_the_forecast_warns_where_no_worker_serves_the_queue(world: World) -> None:
    assert "No worker serves the queue lonely" in forecast(world.operator, **{**PYTHON, "queue": "lonely"})


def test_the_forecast_of_a_half_filled_form_waits(world: World) -> None:
    assert "Fill in the form" in forecast(world.operator, type="http", method="GET")


def test_the_forecast_comes_without_a_script_too(world: World) -> None:
    response = submit(world.operator, **PYTHON, step="forecast")

    assert "Takes about 2.0 s" in read(response).by_id("forecast").text
    assert Job.objects.count() == 0


def test_the_forecast_says_how_to_submit_the_same_over_the_api(world: World) -> None:
    response = browser(world.operator).post("/jobs/forecast/", {**COMMON, **PYTHON}, headers={"HX-Request": "true"})

    page = read(response)
    assert page.by_id("curl").raw.startswith("curl -X POST http://testserver/api/v1/jobs/")
    assert "client.submit(" in page.by_id("python").raw
    assert page.by_id("sq").raw.startswith("sq submit python")
    assert Job.objects.count() == 0


@pytest.mark.parametrize("script", [True, False])
def test_choosing_a_task_shows_its_arguments(world: World, script: bool) -> None:
    client = browser(world.operator)

    if script:
        response = client.get("/jobs/submit/task/?task=demo.word_count", headers={"HX-Request": "true"})
    else:
        response = client.post("/jobs/submit/", {**COMMON, **PYTHON, "task": "demo.word_count", "step": "task"})

    page = read(response)
    fields = {name: page.by_id(f"job-arg_{name}") for name in ("text", "top")}
    assert [page.by_id(f"job-arg_{name}_helptext").text for name in fields] == ["A text.", "A whole number."]
    assert fields["text"].raw.strip() == ""
    assert fields["top"].attributes["value"] == "5"


def test_what_the_text_says_is_previewed_with_its_words(world: World) -> None:
    told = forecast(
        world.operator, **{**PYTHON, "urgency": "", "title": "Database replication lag, postgres primary is down"}
    )

    assert "Read from its text Category Database" in told
    assert "Urgency" in told
    assert "postgres +" in told


def test_what_the_submitter_says_himself_is_not_previewed(world: World) -> None:
    said = {"title": "Postgres is down", "urgency": "low", "category": "Network"}

    assert "Read from its text" not in forecast(world.operator, **{**PYTHON, **said})
