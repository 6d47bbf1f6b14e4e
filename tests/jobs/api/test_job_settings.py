"""What an organisation lets its jobs do: who sets it, how, and that it holds."""

from typing import Any

import pytest

from jobs.models import Job
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, browser
from tests.jobs.api.refusals import JOBS, assert_refused
from tests.jobs.pages.pages import read

pytestmark = pytest.mark.django_db

PATH = "/api/v1/orgs/acme/job-settings/"
BOTH = {"http_allow_hosts": ["api.example.com", "*.example.org"], "http_deny_hosts": ["bad.example"]}
FETCH = {"type": "http", "payload": {"url": "https://elsewhere.example/"}}


def test_an_admin_sets_it_and_every_member_sees_it(world: World) -> None:
    world.org.job_settings = {"mail_from": "jobs@acme.example"}
    world.org.save()

    assert api(world.owner).get(PATH).json() == {"http_allow_hosts": [], "http_deny_hosts": []}
    response = api(world.owner).patch(PATH, BOTH)

    kept = {"http_allow_hosts": ["*.example.org", "api.example.com"], "http_deny_hosts": ["bad.example"]}
    assert (response.status_code, response.json()) == (200, kept)
    assert api(world.viewer).get(PATH).json() == kept
    world.org.refresh_from_db()
    assert world.org.job_settings == {"mail_from": "jobs@acme.example", **kept}
    entry = AuditEntry.objects.get(action="org.job_settings")
    assert (entry.actor_name, entry.target) == ("owner", "acme")
    assert entry.detail == {"old": {"http_allow_hosts": [], "http_deny_hosts": []}, "new": kept}


def test_one_list_leaves_the_other_and_nothing_new_is_no_act(world: World) -> None:
    client = api(world.owner)
    client.patch(PATH, BOTH)

    assert client.patch(PATH, {"http_allow_hosts": []}).json()["http_deny_hosts"] == ["bad.example"]
    client.patch(PATH, {"http_allow_hosts": []})
    client.patch(PATH, {})

    assert AuditEntry.objects.filter(action="org.job_settings").count() == 2


@pytest.mark.parametrize(
    ("person", "get", "patch"),
    [("owner", 200, 200), ("operator", 200, 403), ("viewer", 200, 403), ("outsider", 404, 404), ("loner", 404, 404)],
)
def test_it_is_for_admins(world: World, person: str, get: int, patch: int) -> None:
    client = api(world.people()[person])

    assert client.get(PATH).status_code == get
    assert client.patch(PATH, BOTH).status_code == patch
    world.org.refresh_from_db()
    assert bool(world.org.job_settings) is (patch == 200)


def test_nobody_without_a_token_and_a_platform_admin_with_his(world: World) -> None:
    assert api().patch(PATH, BOTH).status_code == 401
    assert api(world.platform_admin).patch(PATH, BOTH).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"http_allow_hosts": "example.com"}, "/http_allow_hosts"),
        ({"http_allow_hosts": None}, "/http_allow_hosts"),
        ({"http_allow_hosts": [1]}, "/http_allow_hosts"),
        ({"shell_programs": ["/bin/sh"]}, "/shell_programs"),
        ({"connections": {}}, "/connections"),
        ({"http_deny_hosts": ["x.example"] * 201}, "/http_deny_hosts"),
        *(
            ({"http_deny_hosts": ["good.example", bad]}, "/http_deny_hosts/1")
            for bad in (
                "", "*", "*.", "a b", "http://x.example", "x.example/a", "x.example:80", "münchen.example", "a..b",
                "*.*.example", "x*.example", "a" * 64, "1.2.3", "0x7f.1", "*.1.2.3.4", "x" * 255, "x\n", "a@x",
                "-a.b", "\u2028", "x.example#a",
            )
        ),
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_list_of_hosts_is_refused(world: World, body: dict[str, Any], pointer: str) -> None:
    problem = assert_refused(api(world.owner).patch(PATH, body))

    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem["errors"]
    world.org.refresh_from_db()
    assert world.org.job_settings == {}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("API.Example.COM.", "api.example.com"),
        ("*.Example.COM", "*.example.com"),
        ("[2606:4700:0:0::1111]", "2606:4700::1111"),
        ("::ffff:93.184.215.14", "93.184.215.14"),
    ],
)
def test_a_host_is_kept_in_one_way(world: World, sent: str, kept: str) -> None:
    assert api(world.owner).patch(PATH, {"http_deny_hosts": [sent, kept]}).json()["http_deny_hosts"] == [kept]


def test_it_holds_from_the_next_submit_on(world: World) -> None:
    client = api(world.owner)
    assert client.post(JOBS, FETCH).status_code == 201

    client.patch(PATH, {"http_deny_hosts": ["*.example"]})

    problem = assert_refused(client.post(JOBS, FETCH))
    assert problem["errors"][0]["pointer"] == "/payload/url"
    assert Job.objects.count() == 1
    assert api(world.outsider).post(JOBS, FETCH).status_code == 201


# --- the form -------------------------------------------------------------------------------------------------------


def test_the_form_is_on_the_page_of_settings(world: World) -> None:
    client = browser(world.owner)

    response = client.post("/job-settings/", {"http_allow_hosts": "b.example\r\na.example\r\n", "http_deny_hosts": ""})

    assert (response.status_code, response["Location"]) == (302, "/settings/")
    page = read(client.get("/settings/"))
    assert page.by_id("http_allow_hosts").raw.split() == ["a.example", "b.example"]
    assert page.one("form", action="/job-settings/")
    seen = read(browser(world.viewer).get("/settings/")).one("form", action="/job-settings/")
    assert "disabled" in seen.one("fieldset").attributes


def test_a_host_that_is_none_is_named(world: World) -> None:
    client = browser(world.owner)

    response = client.post("/job-settings/", {"http_deny_hosts": "good.example http://<b>bad"}, follow=True)

    assert "Nothing was changed. http://<b>bad" in read(response).text
    world.org.refresh_from_db()
    assert world.org.job_settings == {}


@pytest.mark.parametrize(("person", "status"), [("operator", 403), ("viewer", 403), ("owner", 302)])
def test_the_form_is_for_admins(world: World, person: str, status: int) -> None:
    client = browser(world.people()[person])

    assert client.post("/job-settings/", {"http_deny_hosts": "x.example"}).status_code == status
    assert client.get("/job-settings/").status_code == 405
