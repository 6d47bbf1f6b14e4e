"""Pages do not show what payloads hide by their names, and forms that send it back hidden lose nothing."""

import json
from typing import Any

import pytest

from jobs.masking import MASK
from jobs.models import Job
from tests.conftest import World
from tests.factories import browser, make_dead_letter, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

VALUE = "hunter2-and-more"
HTTP: dict[str, Any] = {
    "url": "https://example.com/",
    "method": "GET",
    "headers": {"Authorization": f"Bearer {VALUE}", "Accept": "*/*"},
}
SHELL: dict[str, Any] = {"argv": ["/bin/echo", "a"], "env": {"DB_PASSWORD": VALUE, "LANG": "C"}}
ODD: dict[str, Any] = {"url": "https://example.com/", "form": {"password": [VALUE]}}
PAYLOADS = {"http": HTTP, "shell": SHELL, "odd": ODD}


@pytest.fixture(autouse=True)
def programs(world: World) -> None:
    world.org.shell_programs = ["/bin/echo"]
    world.org.save()


def dead(world: World, kind: str) -> Job:
    return make_dead_letter(world.org, type="shell" if kind == "shell" else "http", payload=PAYLOADS[kind])


def sent_by(form: Element) -> dict[str, str]:
    """What a browser would send of a form as it is shown."""
    fields = {one.attributes["name"]: one.attributes.get("value", "") for one in form.all("input")}
    fields |= {one.attributes["name"]: one.raw.removeprefix("\n") for one in form.all("textarea")}
    for select in form.all("select"):
        chosen = [one.attributes["value"] for one in select.all("option") if "selected" in one.attributes]
        fields[select.attributes["name"]] = (chosen or [select.all("option")[0].attributes["value"]])[0]
    return fields


@pytest.mark.parametrize("kind", PAYLOADS)
def test_the_page_of_a_job_shows_masks(world: World, kind: str) -> None:
    job = dead(world, kind)

    response = browser(world.operator).get(f"/jobs/{job.pk}/")

    assert VALUE not in response.content.decode()
    page = read(response)
    assert MASK in page.by_id("payload").text
    assert MASK in page.by_id("curl").text
    assert MASK in page.by_id("edited-payload").text


@pytest.mark.parametrize("kind", PAYLOADS)
def test_edit_and_replay_keeps_what_stays_hidden(world: World, kind: str) -> None:
    job = dead(world, kind)
    client = browser(world.operator)
    text = read(client.get(f"/jobs/{job.pk}/")).by_id("edited-payload").raw
    edited = {**json.loads(text), "url": "https://example.org/"} if kind != "shell" else json.loads(text)

    response = client.post(f"/jobs/{job.pk}/replay/", {"payload": json.dumps(edited)})

    assert response.status_code == 302
    job.refresh_from_db()
    assert job.status == "queued"
    assert job.payload == PAYLOADS[kind] | ({"url": "https://example.org/"} if kind != "shell" else {})


@pytest.mark.parametrize("kind", PAYLOADS)
def test_submit_again_keeps_what_stays_hidden(world: World, kind: str) -> None:
    job = dead(world, kind)
    client = browser(world.operator)
    response = client.get(f"/jobs/submit/?from={job.pk}")
    assert VALUE not in response.content.decode()
    sent = sent_by(read(response).by_id("submit-form"))

    forecast = client.post("/jobs/forecast/", sent)
    assert (forecast.status_code, VALUE in forecast.content.decode()) == (200, False)
    response = client.post("/jobs/submit/", sent)

    assert response.status_code == 302, response.content.decode()
    again = Job.objects.exclude(pk=job.pk).get()
    assert again.payload == PAYLOADS[kind]


def test_another_organisations_job_gives_nothing_away(world: World) -> None:
    theirs = make_job(world.rival, type="http", payload=HTTP)
    fields = {
        "type": "http", "as": "json", "queue": "default", "urgency": "medium", "once": "1", "copy_of": str(theirs.pk),
        "raw": json.dumps({**HTTP, "headers": {"Authorization": MASK}}),
    }  # fmt: skip

    response = browser(world.operator).post("/jobs/submit/", fields)

    assert response.status_code == 400
    assert "stands for a value that is not shown" in read(response).text
    assert not Job.objects.for_org(world.org).exists()


def test_a_job_that_hides_nothing_is_copied_as_ever(world: World) -> None:
    job = make_job(world.org)
    page = read(browser(world.operator).get(f"/jobs/submit/?from={job.pk}"))
    assert page.one("input", name="copy_of").attributes.get("value", "") == ""


def test_an_unknown_secret_is_told_beside_its_field(world: World) -> None:
    form = {
        "type": "http", "queue": "default", "urgency": "medium", "once": "1", "url": "https://example.com/",
        "method": "GET", "headers": "X-A: {{secret:nobody}}", "expect_status": "2xx",
    }  # fmt: skip

    response = browser(world.operator).post("/jobs/submit/", form)

    assert response.status_code == 400
    assert "Your organisation has no secret" in read(response).text


def test_the_admin_site_shows_masks(world: World) -> None:
    job = dead(world, "http")
    text = browser(world.platform_admin).get(f"/admin/jobs/job/{job.pk}/change/").content.decode()
    assert VALUE not in text
    assert MASK in text
