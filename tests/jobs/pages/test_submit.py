"""The submit form."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.forms import FORMS
from jobs.handlers import registry
from jobs.models import Job
from orgs.models import Org, User
from tests.conftest import World
from tests.factories import browser, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

FILE = "01900000-0000-7000-8000-000000000001"
HTTP = {"type": "http", "method": "GET", "url": "https://example.com/", "expect_status": "2xx"}
SHELL = {"type": "shell", "program": "/bin/echo", "expect_exit": "0"}
PYTHON = {"type": "python", "task": "demo.add", "kwargs": '{"a": 1, "b": 2}'}
EXPORT = {"type": "data-export", "dataset": "jobs", "file": "csv"}
FILE = "01900000-0000-7000-8000-000000000000"
ML = {"type": "ml", "task": "train", "source": "url", "table": "https://example.com/a.csv", "model": "ridge"}
ARTEFACT = "018f0000-0000-7000-8000-0000000000aa"
IMAGE = {"type": "image-resize", "source": ARTEFACT, "width": "200", "fit": "contain", "format": "keep"}
IMAGE |= {"animation": "first"}
EMAIL = {"type": "email", "to": "ada@example.com", "subject": "Report", "text": "Hello"}
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
        (
            {**HTTP, "method": "PUT", "body_kind": "body_artefact", "body": f" {FILE}\r\n", "save_as": "a.csv"},
            {"method": "PUT", "url": "https://example.com/", "body_artefact": FILE, "save_as": "a.csv"},
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
        (EXPORT, {"dataset": "jobs", "format": "csv"}),
        (
            {
                **EXPORT,
                "dataset": "attempts",
                "file": "csv-bom",
                "compress": "gzip",
                "columns": "job_id, outcome\r\nended_at",
                "of_status": "failed done",
                "of_type": "http",
                "of_queue": "night",
                "of_urgency": "low",
                "of_category": "Network",
                "creator": "ada",
                "q": " x ",
                "created_after": "2026-01-02T03:04",
                "created_before": "2026-01-02T03:04:05.5",
                "more": '{"error_type": "ValueError"}',
                "order": "-at",
                "limit": "10",
            },
            {
                "dataset": "attempts",
                "format": "csv",
                "bom": True,
                "gzip": True,
                "columns": ["job_id", "outcome", "ended_at"],
                "filter": {
                    "status": ["failed", "done"],
                    "type": "http",
                    "queue": "night",
                    "urgency": "low",
                    "category": "Network",
                    "creator": "ada",
                    "q": " x ",
                    "created_after": "2026-01-02T03:04:00Z",
                    "created_before": "2026-01-02T03:04:05.500000Z",
                    "error_type": "ValueError",
                },
                "order": "-at",
                "limit": 10,
            },
        ),
        (PYTHON, {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}),
        (IMAGE, {"image": {"artefact": ARTEFACT}, "width": 200}),
        (
            {
                **IMAGE,
                "source": "https://example.com/a.png",
                "width": "",
                "sizes": "thumb: 200x200\r\n\r\nwide: 1200x \r\ntall:x90",
                "fit": "cover",
                "format": "webp",
                "quality": "70",
                "background": "#ffffff",
                "animation": "keep",
                "larger": "yes",
                "metadata": "keep",
            },
            {
                "image": {"url": "https://example.com/a.png"},
                "sizes": [
                    {"name": "thumb", "width": 200, "height": 200},
                    {"name": "wide", "width": 1200},
                    {"name": "tall", "height": 90},
                ],
                "fit": "cover",
                "format": "webp",
                "quality": 70,
                "background": "#ffffff",
                "animation": "keep",
                "never_enlarge": False,
                "strip_metadata": False,
            },
        ),
        (EMAIL, {"to": ["ada@example.com"], "subject": "Report", "text": "Hello"}),
        (
            {
                **EMAIL,
                "to": "Lovelace, Ada <ada@example.com>\r\n\r\n bob@example.com ",
                "cc": "c@example.com",
                "bcc": "d@example.com",
                "text": "one\r\ntwo\r\n",
                "html": "<p>one</p>",
                "from_name": "Reports",
                "reply_to": "desk@example.com",
                "attachments": f"{ARTEFACT}\r\n{ARTEFACT} the report.pdf",
                "unsubscribe": "<https://example.com/u/7>",
            },
            {
                "to": ["Lovelace, Ada <ada@example.com>", "bob@example.com"],
                "subject": "Report",
                "text": "one\ntwo\n",
                "cc": ["c@example.com"],
                "bcc": ["d@example.com"],
                "html": "<p>one</p>",
                "from_name": "Reports",
                "reply_to": "desk@example.com",
                "attachments": [{"artefact": ARTEFACT}, {"artefact": ARTEFACT, "name": "the report.pdf"}],
                "headers": {"List-Unsubscribe": "<https://example.com/u/7>"},
            },
        ),
        (
            {**ML, "target": "y"},
            {"task": "train", "data": {"url": "https://example.com/a.csv"}, "target": "y", "model": "ridge"},
        ),
        (
            {
                "type": "ml", "task": "train", "source": "rows", "table": '[{"a": 1, "y": 2}]', "target": "y",
                "features": "a \r\n\r\n b c", "model": "k_neighbours", "parameters": '{"n_neighbors": 3}',
                "problem": "regression", "test_share": "0", "cross_validation": "3", "metrics": "mae, r2",
                "seed": "7", "output": '{"name": "m.zip"}', "categorical": "a",
            },
            {
                "task": "train",
                "data": {"rows": [{"a": 1, "y": 2}]},
                "target": "y", "features": ["a", "b c"], "categorical": ["a"], "model": "k_neighbours",
                "parameters": {"n_neighbors": 3}, "problem": "regression", "test_share": 0, "cross_validation": 3,
                "metrics": ["mae", "r2"], "seed": 7, "output": {"name": "m.zip"},
            },
        ),
        (
            {**ML, "task": "predict", "source": "artefact", "table": FILE, "format": "json", "model_artefact": FILE},
            {"task": "predict", "data": {"artefact": FILE, "format": "json"}, "model_artefact": FILE},
        ),
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
        ({**HTTP, "body_kind": "body_artefact", "body": "nonsense"}, "body", ""),
        ({**HTTP, "save_as": "../x"}, "save_as", ""),
        ({**SHELL, "program": "/bin/ls"}, "program", "valid choice"),
        ({**SHELL, "env": "LD_PRELOAD=/tmp/x"}, "env", "LD_PRELOAD: This name may not be set."),
        ({**SHELL, "env": "nonsense"}, "env", "Line 1"),
        ({**SHELL, "expect_exit": "ok"}, "expect_exit", "numbers"),
        ({**EXPORT, "dataset": "users"}, "dataset", "valid choice"),
        ({**EXPORT, "of_status": "done, dead"}, "of_status", "1: Expected one of"),
        ({**EXPORT, "columns": "id, password"}, "columns", "1: Expected one of"),
        ({**EXPORT, "columns": "id, stream"}, "columns", "1: There is no such column"),
        ({**EXPORT, "order": "-at"}, "order", "One of -created"),
        ({**EXPORT, "limit": "0"}, "limit", "At least 1."),
        ({**EXPORT, "limit": "1000000000"}, "limit", "At most"),
        ({**EXPORT, "more": "{"}, "more", "no JSON"),
        ({**EXPORT, "more": '{"org": "rival"}'}, "more", "org: There is no such field"),
        ({**EXPORT, "more": '{"q": "x"}'}, "more", "There is a field for q."),
        ({**EXPORT, "dataset": "schedules", "creator": "ada"}, "creator", "There is no such filter here"),
        ({**ML, "target": ""}, "target", "required"),
        ({**ML, "target": "y", "table": ""}, "table", "required"),
        ({**ML, "target": "y", "table": "http://169.254.169.254/"}, "table", "url: This address is not public."),
        ({**ML, "target": "y", "source": "rows", "table": "[{"}, "table", "no JSON"),
        ({**ML, "target": "y", "source": "rows", "table": "{}"}, "table", "rows: "),
        ({**ML, "target": "y", "source": "artefact"}, "table", "artefact: "),
        ({**ML, "target": "y", "parameters": '{"C": 1}'}, "parameters", "C: Not a parameter of ridge"),
        ({**ML, "target": "y", "problem": "classification"}, "problem", "ridge is for regression only"),
        ({**ML, "target": "y", "cross_validation": "1"}, "cross_validation", "At least 2."),
        ({**ML, "target": "y", "metrics": "speed"}, "metrics", "one of"),
        ({**ML, "task": "predict"}, "model_artefact", "required"),
        ({**IMAGE, "source": ""}, "source", "required"),
        ({**IMAGE, "source": "no id"}, "source", "artefact: This is not an artefact's id"),
        ({**IMAGE, "source": "http://127.0.0.1/a.png"}, "source", "url: "),
        ({**IMAGE, "width": "0"}, "width", "At least 1."),
        ({**IMAGE, "width": "99999"}, "width", "16383"),
        ({**IMAGE, "width": "", "sizes": "thumb 200"}, "sizes", "Line 1"),
        ({**IMAGE, "width": "", "sizes": "a: 1x1\na: 2x2"}, "sizes", "1/name: Another size has this name."),
        ({**IMAGE, "quality": "101"}, "quality", "At most 100."),
        ({**IMAGE, "background": "red"}, "background", "Must match"),
        ({**IMAGE, "animation": "keep", "format": "png"}, "animation", "Only gif and webp move."),
        ({**EMAIL, "to": ""}, "to", "May not be empty."),
        ({**EMAIL, "to": "ada@example.com\nnobody"}, "to", "1: This is not an e-mail address."),
        ({**EMAIL, "subject": ""}, "subject", "required"),
        ({**EMAIL, "text": ""}, "text", "May not be empty."),
        ({**EMAIL, "from_name": "ceo@bank.example"}, "from_name", "@"),
        ({**EMAIL, "reply_to": "nobody"}, "reply_to", "not an e-mail address"),
        ({**EMAIL, "attachments": "report.pdf"}, "attachments", "0/artefact: This is not an artefact's id"),
        ({**EMAIL, "unsubscribe": "ü"}, "unsubscribe", "List-Unsubscribe: A header's value"),
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


@pytest.mark.parametrize("type", sorted(FORMS))
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
        {
            "type": "data-export",
            "payload": {
                "dataset": "dead_letters",
                "format": "json",
                "filter": {
                    "creator": "ada",
                    "created_after": "2026-01-02T03:04:05Z",
                    "failed_before": "2026-01-03T00:00Z",
                },
                "columns": ["id", "error"],
                "limit": 5,
            },
        },
        {"type": "data-export", "payload": {"dataset": "jobs"}},
        {
            "type": "ml",
            "payload": {
                "task": "train",
                "data": {"url": "https://example.com/a", "format": "json"},
                "target": "y",
                "model": "random_forest",
                "parameters": {"n_estimators": 5},
                "features": ["a", "b c"],
                "metrics": ["r2"],
                "test_share": 0.5,
            },
        },
        {
            "type": "image-resize",
            "payload": {"image": {"artefact": ARTEFACT}, "sizes": [{"name": "a", "width": 1}], "never_enlarge": False},
        },
        {"type": "image-resize", "payload": {"image": {"url": "https://example.com/a.gif"}, "format": "avif"}},
        {
            "type": "email",
            "payload": {
                "to": ["Ada <a@example.com>"],
                "bcc": ["b@example.com"],
                "subject": "x",
                "text": "a\nb ",
                "headers": {"List-Unsubscribe": "<https://example.com/>"},
                "attachments": [{"artefact": ARTEFACT, "name": "a b.pdf"}],
            },
        },
        {
            "type": "email",
            "payload": {"to": ["a@example.com"], "subject": "x", "text": "y", "headers": {"List-Id": "<a.example>"}},
        },
        {"type": "http", "payload": {"url": "https://example.com/", "body_artefact": FILE, "save_as": "a (1).csv"}},
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
    page = read(browser(world.operator).get("/jobs/submit/?type=no-type"))

    assert [one.text for one in page.one("nav", css="types").all("a")] == [
        registry.get(name).title for name in registry.offered()
    ]
    assert submit(world.operator, type="no-type").status_code == 400


def test_an_external_job_is_submitted_by_its_payload(world: World) -> None:
    page = read(browser(world.operator).get("/jobs/submit/?type=external"))
    assert '"task": "resize"' in page.text
    assert "Fill in fields instead" not in page.text

    response = submit(world.operator, type="external", raw='{"task": "resize", "input": 1}', queue="gpu")

    assert response.status_code == 302
    job = Job.objects.get()
    assert (job.type, job.name, job.queue, job.payload) == ("external", "resize", "gpu", {"task": "resize", "input": 1})


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
