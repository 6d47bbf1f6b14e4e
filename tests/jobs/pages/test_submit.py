"""The submit form."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.models import Job
from orgs.models import Org, User
from tests.conftest import World
from tests.factories import browser, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

HTTP = {"type": "http", "method": "GET", "url": "https://example.com/", "expect_status": "2xx"}
SHELL = {"type": "shell", "program": "/bin/echo", "expect_exit": "0"}
PYTHON = {"type": "python", "task": "demo.add", "kwargs": '{"a": 1, "b": 2}'}
ETL = {
    "type": "etl",
    "source_kind": "rows",
    "source": '[{"a": 1}]',
    "steps": '[{"filter": "a > 0"}]',
    "sink_kind": "artefact",
    "sink": "out.csv",
    "on_bad_row": "fail",
}
FILE_ID = "018f0000-0000-7000-8000-0000000000ff"
COMMON = {"queue": "default", "urgency": "medium", "once": "0" * 32}


def submit(user: User, **fields: Any) -> Any:
    return browser(user).post("/jobs/submit/", {**COMMON, **fields})


def faults(response: Any) -> dict[str, str]:
    """Name of a field: what is written below it."""
    page = read(response)
    assert response.status_code == 400
    return {
        one.attributes["id"].removeprefix("job-").removesuffix("_error"): one.text
        for one in page.all("ul", css="errorlist")
        if "id" in one.attributes
    }


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        (HTTP, {"method": "GET", "url": "https://example.com/"}),
        (
            {
                **HTTP,
                "method": "POST",
                "headers": "X-One: 1\r\n\r\nAccept:  text/plain",
                "body_kind": "json",
                "body": '{"big": 12345678901234567890}',
                "expect_status": "200, 4xx",
                "http_timeout": "2.5",
            },
            {
                "method": "POST",
                "url": "https://example.com/",
                "headers": {"X-One": "1", "Accept": "text/plain"},
                "json": {"big": 12345678901234567890},
                "expect_status": [200, "4xx"],
                "timeout_seconds": 2.5,
            },
        ),
        (
            {**HTTP, "method": "PUT", "body_kind": "body", "body": "one\r\ntwo\r\n"},
            {"method": "PUT", "url": "https://example.com/", "body": "one\ntwo\n"},
        ),
        ({**SHELL, "arguments": ""}, {"argv": ["/bin/echo"]}),
        (
            {**SHELL, "arguments": "  two words \r\n$(id)\r\n\r\n-n\r\n"},
            {"argv": ["/bin/echo", "  two words ", "$(id)", "", "-n"]},
        ),
        (
            {**SHELL, "stdin": "in", "env": "A=1 =2", "expect_exit": "0, 3"},
            {"argv": ["/bin/echo"], "stdin": "in", "env": {"A": "1 =2"}, "expect_exit": [0, 3]},
        ),
        (PYTHON, {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}),
        (ETL, {"source": {"rows": [{"a": 1}]}, "steps": [{"filter": "a > 0"}], "sink": {"artefact": "out.csv"}}),
        (
            {**ETL, "source_kind": "artefact", "source": f" {FILE_ID}\r\n", "format": "csv", "delimiter": "\t",
             "steps": "", "on_bad_row": "keep"},
            {"source": {"artefact": FILE_ID, "format": "csv", "delimiter": "\t"}, "steps": [],
             "sink": {"artefact": "out.csv"}, "on_bad_row": "keep"},
        ),
        (
            {"type": "python", "as": "json", "raw": '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'},
            {"task": "demo.add", "kwargs": {"a": 1, "b": 2}},
        ),
    ],
)  # fmt: skip
def test_fields_make_the_payload(world: World, fields: dict[str, str], payload: dict[str, Any]) -> None:
    response = submit(world.operator, **fields)

    job = Job.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"/jobs/{job.pk}/")
    assert (job.type, job.payload, job.created_by) == (fields["type"], payload, world.operator)


def test_common_fields_are_the_jobs(world: World) -> None:
    fields = {
        "name": "nightly",
        "title": "Every night",
        "description": "One\r\ntwo",
        "queue": "night",
        "urgency": "low",
        "category": "Database",
        "timeout_seconds": "60",
        "max_attempts": "2",
        "delay_seconds": "90.5",
    }

    submit(world.operator, **PYTHON, **fields)

    job = Job.objects.get()
    assert (job.name, job.title, job.description) == ("nightly", "Every night", "One\ntwo")
    assert (job.queue, job.urgency, job.category) == ("night", "low", "Database")
    assert (job.timeout_seconds, job.max_attempts, job.status) == (60, 2, "scheduled")


def test_a_time_is_read_as_utc(world: World) -> None:
    due = (timezone.now() + timedelta(days=1)).replace(second=0, microsecond=0)

    submit(world.operator, **PYTHON, run_at=due.strftime("%Y-%m-%dT%H:%M"))

    assert Job.objects.get().run_at == due


@pytest.mark.parametrize(
    ("fields", "field", "fault"),
    [
        ({**HTTP, "url": ""}, "url", "required"),
        ({**HTTP, "url": "ftp://example.com/"}, "url", "http"),
        ({**HTTP, "url": "http://169.254.169.254/"}, "url", ""),
        ({**HTTP, "headers": "nonsense"}, "headers", "Line 1"),
        ({**HTTP, "headers": "Host: evil"}, "headers", "Host: SmartQueue sets this header itself."),
        ({**HTTP, "method": "BREW"}, "method", "valid choice"),
        ({**HTTP, "body_kind": "json", "body": "{"}, "body", "no JSON"),
        ({**HTTP, "body": "lost"}, "body_kind", "say what it is"),
        ({**HTTP, "expect_status": "often"}, "expect_status", "0"),
        ({**HTTP, "http_timeout": "-1"}, "http_timeout", ""),
        ({**SHELL, "program": "/bin/ls"}, "program", "valid choice"),
        ({**SHELL, "env": "LD_PRELOAD=/tmp/x"}, "env", "LD_PRELOAD: This name may not be set."),
        ({**SHELL, "env": "nonsense"}, "env", "Line 1"),
        ({**SHELL, "expect_exit": "ok"}, "expect_exit", "numbers"),
        ({**PYTHON, "task": "os.system"}, "task", "valid choice"),
        ({**PYTHON, "kwargs": "{"}, "kwargs", "no JSON"),
        ({**PYTHON, "kwargs": "[]"}, "kwargs", "JSON object"),
        ({**PYTHON, "kwargs": '{"a": 1}'}, "kwargs", "b: This field is required."),
        ({**PYTHON, "kwargs": '{"a": 1, "b": 2, "c": 3}'}, "kwargs", "c: There is no such field"),
        ({**ETL, "source": "[1"}, "source", "no JSON"),
        ({**ETL, "source": "{}"}, "source", "JSON list"),
        ({**ETL, "source": '[{"a": 1}, 2]'}, "source", "rows/1: Expected an object."),
        (
            {**ETL, "source_kind": "url", "source": "http://169.254.169.254/"},
            "source",
            "url: This address is not public.",
        ),
        ({**ETL, "source_kind": "artefact", "source": "x"}, "source", "artefact: Expected the id of an artefact."),
        ({**ETL, "steps": '[{"filter": "a >"}]'}, "steps", "0/filter: Did not expect the end."),
        ({**ETL, "steps": '[{"explode": 1}]'}, "steps", "There is no such field"),
        ({**ETL, "sink": "../out.csv"}, "sink", "Must match"),
        ({**ETL, "sink": "out.xls"}, "sink", "format: Say which"),
        ({**ETL, "sink_kind": "connection", "sink": "t"}, "sink", "connection"),
        ({**ETL, "source_connection": "warehouse"}, "source_connection", "valid choice"),
        ({**PYTHON, "queue": "Not A Queue"}, "queue", "lower-case"),
        ({**PYTHON, "queue": ""}, "queue", "required"),
        ({**PYTHON, "name": "x" * 65}, "name", "64"),
        ({**PYTHON, "name": "nul\0"}, "name", "Null"),
        ({**PYTHON, "urgency": "now"}, "urgency", "valid choice"),
        ({**PYTHON, "max_attempts": "1000"}, "max_attempts", "From 1"),
        ({**PYTHON, "timeout_seconds": "0"}, "timeout_seconds", "From 1"),
        ({**PYTHON, "run_at": "2999-01-01T00:00"}, "run_at", "days"),
        ({**PYTHON, "run_at": "2026-12-01T00:00", "delay_seconds": "5"}, "delay_seconds", "not both"),
        ({"type": "python", "as": "json", "raw": "{}"}, "raw", "/task: This field is required."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(world: World, fields: dict[str, str], field: str, fault: str) -> None:
    response = submit(world.operator, **fields)

    assert set(faults(response)) == {field}
    assert fault in faults(response)[field]
    assert Job.objects.count() == 0


def test_a_refused_form_keeps_what_was_typed(world: World) -> None:
    page = read(submit(world.operator, **{**PYTHON, "kwargs": "{ typed", "title": "Mine"}))

    assert page.by_id("job-kwargs").raw.strip() == "{ typed"
    assert page.by_id("job-title").attributes["value"] == "Mine"
    assert page.by_id("job-kwargs").attributes["aria-invalid"] == "true"
    assert "job-kwargs_error" in page.by_id("job-kwargs").attributes["aria-describedby"]


def test_too_big_a_payload_is_told_above_the_form(world: World) -> None:
    response = submit(world.operator, **{**PYTHON, "kwargs": '{"a": "' + "x" * 11_000 + '"}'})

    assert response.status_code == 400
    assert "at most 10000 are allowed" in read(response).one("div", role="alert").text


def test_pressing_twice_submits_one_job(world: World) -> None:
    client = browser(world.operator)

    first, second = (client.post("/jobs/submit/", {**COMMON, **PYTHON}) for _ in range(2))

    assert first["Location"] == second["Location"]
    assert Job.objects.count() == 1


def test_going_back_and_changing_the_form_says_so_and_then_makes_a_new_job(world: World) -> None:
    client = browser(world.operator)
    client.post("/jobs/submit/", {**COMMON, **PYTHON})

    refused = client.post("/jobs/submit/", {**COMMON, **PYTHON, "title": "Another"})
    page = read(refused)
    once = page.by_id("job-once").attributes["value"]
    again = client.post("/jobs/submit/", {**COMMON, **PYTHON, "title": "Another", "once": once})

    assert (refused.status_code, again.status_code) == (400, 302)
    assert "Submit it again to make a new job." in page.one("div", role="alert").text
    assert Job.objects.count() == 2


def form_of(page: Element) -> dict[str, str]:
    """The values a browser would send."""
    form = page.by_id("submit-form")
    values = {one.attributes["name"]: one.attributes.get("value", "") for one in form.all("input")}
    values |= {one.attributes["name"]: one.raw.removeprefix("\n") for one in form.all("textarea")}
    for select in form.all("select"):
        chosen = [one for one in select.all("option") if "selected" in one.attributes] or select.all("option")[:1]
        values[select.attributes["name"]] = chosen[0].attributes["value"] if chosen else ""
    return values


@pytest.mark.parametrize("type", ["http", "shell", "python", "etl"])
@pytest.mark.parametrize("shape", ["", "&as=json"])
def test_each_form_opens_with_an_example_that_can_be_sent_as_it_is(world: World, type: str, shape: str) -> None:
    client = browser(world.operator)
    with override_settings(HTTP_ALLOW_HOSTS=["127.0.0.1:8000"], HTTP_PORTS=[80, 443, 8000]):
        page = read(client.get(f"/jobs/submit/?type={type}{shape}"))

        response = client.post("/jobs/submit/", form_of(page))

    assert response.status_code == 302
    assert Job.objects.get().type == type


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": {"task": "demo.add", "kwargs": {"a": 12345678901234567890, "b": -1}}, "name": "sum"},
        {"type": "shell", "payload": {"argv": ["/bin/echo", "a b", "", "c\n"]}},
        {
            "type": "etl",
            "payload": {
                "source": {"rows": [{"a": 12345678901234567890, "b": "<é>"}]},
                "steps": [{"sort": ["a"]}],
                "sink": {"artefact": "x.parquet"},
            },
        },
        {
            "type": "etl",
            "payload": {
                "source": {"artefact": FILE_ID, "nulls": ["NA"]},
                "sink": {"artefact": "x.csv", "formula_safe": False},
                "on_bad_row": "drop",
            },
        },
        {"type": "shell", "payload": {"argv": ["/bin/sleep", "3"], "env": {"A": " x "}, "expect_exit": [0, 1]}},
        {
            "type": "http",
            "payload": {"url": "https://example.com/?a=1&b=2", "json": [1, {"x": None}], "headers": {"A": "b: c"}},
        },
        {"type": "http", "payload": {"url": "https://example.com/", "method": "POST", "form": {"a": ["1", "2"]}}},
        {"queue": "slow", "urgency": "low", "category": "Network", "timeout_seconds": 7, "max_attempts": 2},
    ],
)
def test_submitting_again_makes_the_same_job(world: World, fields: dict[str, Any]) -> None:
    job = make_job(world.org, **fields)
    client = browser(world.operator)

    response = client.post("/jobs/submit/", form_of(read(client.get(f"/jobs/submit/?from={job.pk}"))))

    assert response.status_code == 302
    again = Job.objects.exclude(pk=job.pk).get()
    same = ("type", "name", "payload", "queue", "urgency", "category", "timeout_seconds", "max_attempts")
    assert {name: getattr(again, name) for name in same} == {name: getattr(job, name) for name in same}


@pytest.mark.parametrize("source", ["nonsense", "01900000-0000-7000-8000-000000000000"])
def test_submitting_an_unknown_job_again_is_not_found(world: World, source: str) -> None:
    assert browser(world.operator).get(f"/jobs/submit/?from={source}").status_code == 404


def test_an_organisation_without_programs_is_told_who_gives_them(world: World) -> None:
    Org.objects.filter(pk=world.org.pk).update(shell_programs=[])

    page = read(browser(world.operator).get("/jobs/submit/?type=shell"))

    assert "may not run programs here yet" in page.text
    assert "disabled" in next(one for one in page.all("button") if one.text == "Submit").attributes


def test_only_types_that_run_here_are_offered(world: World) -> None:
    page = read(browser(world.operator).get("/jobs/submit/?type=nonsense"))

    assert [one.text for one in page.one("nav", css="types").all("a")] == ["ETL", "HTTP", "Python task", "Shell"]
    assert submit(world.operator, type="nonsense").status_code == 400


def test_a_viewer_is_told_which_role_submits(world: World) -> None:
    page = read(browser(world.viewer).get("/jobs/submit/"))

    assert "Submitting takes the role operator" in page.text
    assert not [one for one in page.all("form") if one.attributes.get("action") == "/jobs/submit/"]


def test_the_form_offers_the_databases_of_the_organisation(world: World, settings: Settings) -> None:
    settings.CONNECTIONS = {
        name: {"url": "postgres://db/x", "read": True, "write": ["shop.totals"]} for name in ("warehouse", "theirs")
    }
    Org.objects.filter(pk=world.org.pk).update(job_settings={"connections": ["warehouse", "gone"]})
    page = read(browser(world.operator).get("/jobs/submit/?type=etl"))
    options = [one.text for one in page.by_id("job-source_connection").all("option")]

    submit(
        world.operator,
        **{
            **ETL,
            "source_kind": "connection",
            "source": "SELECT 1",
            "source_connection": "warehouse",
            "sink_kind": "connection",
            "sink": "shop.totals",
            "sink_connection": "warehouse",
            "mode": "upsert",
            "key": "id, day",
        },
    )

    assert options == ["None", "warehouse"]
    assert Job.objects.get().payload == {
        "source": {"connection": "warehouse", "select": "SELECT 1"},
        "steps": [{"filter": "a > 0"}],
        "sink": {"connection": "warehouse", "table": "shop.totals", "mode": "upsert", "key": ["id", "day"]},
    }
