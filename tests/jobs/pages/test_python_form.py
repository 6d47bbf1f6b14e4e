"""The form of a python job: a field for each argument of the task, as its signature says."""

from typing import Any, Literal

import pytest

from jobs.forms.python_task import PythonForm
from jobs.handlers import python_task
from jobs.handlers.python_task import register
from jobs.models import Job
from tests.conftest import World
from tests.factories import browser, make_job
from tests.jobs.pages.pages import Element, read
from tests.jobs.pages.test_submit import COMMON, form_of

pytestmark = pytest.mark.django_db


def every(
    number: int,
    text: str,
    share: float = 0.5,
    mode: Literal["fast", "slow", 3] = "fast",
    flag: bool = True,
    note: str | None = None,
    rows: list[int] | None = None,
    anything: Any = None,
) -> None:
    """Of all kinds."""


@pytest.fixture(autouse=True)
def task() -> Any:
    register(every, "tests.every")
    yield
    del python_task._registered["tests.every"]


def kwargs_of(world: World, **given: str) -> Any:
    fields = {**COMMON, "type": "python", "task": "tests.every", **{f"arg_{name}": one for name, one in given.items()}}
    response = browser(world.operator).post("/jobs/submit/", fields)
    assert response.status_code == 302, read(response).text
    return Job.objects.get().payload["kwargs"]


def form_page(world: World, query: str = "type=python") -> Element:
    return read(browser(world.operator).get(f"/jobs/submit/?{query}"))


def test_what_is_said_has_its_type_and_what_is_not_its_default(world: World) -> None:
    sent = kwargs_of(world, number="12345678901234567890", text="7", mode='"slow"', rows="[1, 2]", share="")

    assert sent == {"number": 12345678901234567890, "text": "7", "mode": "slow", "flag": False, "rows": [1, 2]}


def test_a_text_or_nothing_needs_no_quotes(world: World) -> None:
    assert kwargs_of(world, number="1", text="", note="it is late", anything='{"a": null}', flag="on") == {
        "number": 1, "text": "", "note": "it is late", "anything": {"a": None}, "flag": True,
    }  # fmt: skip


def test_each_argument_has_a_field_of_its_kind(world: World) -> None:
    page = read(browser(world.operator).get("/jobs/submit/task/?task=tests.every", headers={"HX-Request": "true"}))

    assert page.by_id("job-arg_flag").attributes["type"] == "checkbox"
    assert [one.text for one in page.by_id("job-arg_mode").all("option")] == ["fast", "slow", "3"]
    assert page.by_id("job-arg_number").attributes["inputmode"] == "decimal"
    assert page.by_id("job-arg_rows").tag == "textarea"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"number": "x", "text": ""}, "number"),
        ({"number": "", "text": ""}, "number"),
        ({"number": "1.5", "text": ""}, "number"),
        ({"number": "1", "text": "", "rows": '["a"]'}, "rows"),
        ({"number": "1", "text": "", "share": '"a"'}, "share"),
    ],
)
def test_what_is_wrong_stands_beside_its_argument(world: World, given: dict[str, str], field: str) -> None:
    fields = {**COMMON, "type": "python", "task": "tests.every", **{f"arg_{name}": one for name, one in given.items()}}
    response = browser(world.operator).post("/jobs/submit/", fields)

    assert response.status_code == 400
    assert read(response).by_id(f"job-arg_{field}").attributes["aria-invalid"] == "true"
    assert not Job.objects.exists()


def test_submitting_again_shows_the_arguments_as_they_were(world: World) -> None:
    kwargs = {"number": 2**60 + 1, "text": "a\nb", "mode": 3, "flag": False, "note": "7", "rows": [1]}
    job = make_job(world.org, payload={"task": "tests.every", "kwargs": kwargs})
    page = form_page(world, f"from={job.pk}")

    browser(world.operator).post("/jobs/submit/", without_unticked(page))

    assert Job.objects.latest("id").payload["kwargs"] == {**kwargs, "share": 0.5, "anything": None}


def without_unticked(page: Element) -> dict[str, str]:
    values = form_of(page)
    for box in page.by_id("submit-form").all("input", type="checkbox"):
        if "checked" in box.attributes:
            values[box.attributes["name"]] = "on"
        else:
            values.pop(box.attributes["name"], None)
    return values


def test_arguments_that_fields_cannot_show_are_json(world: World) -> None:
    job = make_job(world.org)
    Job.objects.filter(pk=job.pk).update(payload={"task": "demo.add", "kwargs": {"a": "no number", "b": 1}})

    page = form_page(world, f"from={job.pk}")

    assert '"no number"' in page.by_id("job-kwargs").raw


def test_a_form_with_a_task_that_is_none_still_opens(world: World) -> None:
    assert PythonForm(initial={"task": "no.such"}, org=world.org, type="python").shown is not None
