"""Saved views, chosen columns, chips that take filters away, and what stands before and after a job."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jobs.listing import SORTS, page, parse_sort
from jobs.models import Job, ListSettings, SavedView
from jobs.pages.neighbours import neighbours
from orgs.models import AuditEntry, Membership
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import api, browser, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import Element, job_ids, read

pytestmark = pytest.mark.django_db


def save(client: Any, **fields: Any) -> SavedView:
    response = client.post("/jobs/views/", {"name": "Mine", "query": "status=failed&within=24h&cursor=x&v=1", **fields})
    assert response.status_code == 302, response.content
    return SavedView.objects.latest("pk")


def links(page: Element) -> dict[str, str]:
    return {link.text: link.attributes["href"] for link in page.by_id("views").all("a")}


def test_the_present_filters_are_saved_and_one_click_away(world: World) -> None:
    client = browser(world.viewer)
    saving = links(read(client.get("/jobs/?status=failed&within=24h&limit=25")))["Save this view"]
    asked = read(client.get(saving)).one("input", name="query").attributes["value"]

    view = save(client, query=asked)

    assert view.query == "within=24h&limit=25&status=failed"
    shown = read(client.get("/jobs/?status=done"))
    assert links(shown)["Mine"] == f"/jobs/?{view.query}&view={view.pk}"
    opened = read(client.get(links(shown)["Mine"]))
    assert opened.by_id(f"view-{view.pk}").attributes["aria-current"] == "true"
    assert AuditEntry.objects.get(action="view.create").detail["new"]["name"] == "Mine"


def test_ones_own_are_seen_by_oneself_and_shared_ones_by_all(world: World) -> None:
    save(browser(world.viewer), name="Only mine")
    save(browser(world.owner), name="Ours", shared="1")

    assert set(links(read(browser(world.viewer).get("/jobs/")))) >= {"Only mine", "Ours shared"}
    assert "Only mine" not in links(read(browser(world.operator).get("/jobs/")))
    assert "Ours" not in browser(world.outsider).get("/jobs/views/").content.decode()


def test_only_org_admins_share_and_change_what_is_shared(world: World) -> None:
    view = save(browser(world.owner), shared="1")
    client = browser(world.operator)

    refused = client.post("/jobs/views/", {"name": "x", "query": "", "shared": "1"})
    assert refused.status_code == 400
    assert "org admins" in read(refused).one("p", role="alert").text
    for what in ("change", "deletion"):
        client.post(f"/jobs/views/{view.pk}/{what}/", {"name": "Another"})
    view.refresh_from_db()
    assert view.name == "Mine"
    browser(world.owner).post(f"/jobs/views/{view.pk}/change/", {"name": "Another"})
    browser(world.owner).post(f"/jobs/views/{view.pk}/change/", {"shared": "0"})
    view.refresh_from_db()
    assert (view.name, view.owner and view.owner.user) == ("Another", world.owner)
    browser(world.owner).post(f"/jobs/views/{view.pk}/deletion/")
    assert not SavedView.objects.exists()
    assert AuditEntry.objects.filter(action__startswith="view.").count() == 4


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "Mine"])
def test_a_name_that_is_none_or_taken_is_told(world: World, name: str) -> None:
    client = browser(world.viewer)
    save(client)

    response = client.post("/jobs/views/", {"name": name, "query": ""})

    assert response.status_code == 400
    assert read(response).one("p", role="alert").text


def test_the_list_begins_with_the_view_that_was_chosen(world: World) -> None:
    client = browser(world.viewer)
    view = save(client)
    client.post(f"/jobs/views/{view.pk}/first/", {"first": "1"})

    response = client.get("/jobs/")
    assert response["Location"] == f"/jobs/?{view.query}&view={view.pk}"
    shown = read(client.get(response["Location"]))
    assert "/jobs/?view=none" in [link.attributes["href"] for link in shown.all("a") if link.text == "Clear filters"]
    assert client.get("/jobs/?view=none").status_code == 200
    assert browser(world.operator).get("/jobs/").status_code == 200
    client.post(f"/jobs/views/{view.pk}/first/", {"first": "0"})
    assert client.get("/jobs/").status_code == 200
    assert browser(world.operator).post(f"/jobs/views/{view.pk}/first/").status_code == 404


def test_views_and_settings_go_with_the_member(world: World) -> None:
    save(browser(world.viewer))
    save(browser(world.owner), name="Ours", shared="1")
    browser(world.viewer).post("/jobs/columns/", {"column": "queue"})

    Membership.objects.get(user=world.viewer).delete()

    assert [view.name for view in SavedView.objects.all()] == ["Ours"]
    assert not ListSettings.objects.exists()


def test_columns_and_density_follow_the_person(world: World) -> None:
    make_done(world.org, tags=["eu"])
    client = browser(world.viewer)
    usual = read(client.get("/jobs/?status=done"))
    assert "Urgency" in [one.text for one in usual.all("th")]

    response = client.post(
        "/jobs/columns/", {"column": ["tags", "finished"], "compact": "1", "next": "/jobs/?status=done"}
    )

    assert response["Location"] == "/jobs/?status=done"
    page = read(client.get("/jobs/?status=done"))
    assert [one.text for one in page.all("th")] == ["Status", "Job", "Tags", "Ended"]
    assert "compact" in page.one("table").attributes["class"]
    assert page.one("span", css="tag").text == "eu"
    assert client.post("/jobs/columns/", {"column": "password"}).status_code == 400
    client.post("/jobs/columns/", {})
    assert "Urgency" in [one.text for one in read(client.get("/jobs/?status=done")).all("th")]


def test_a_row_shows_the_start_of_the_arguments_without_what_is_secret(world: World) -> None:
    call = {"url": "https://crm.example.com/", "method": "POST", "headers": {"X-Api-Key": "hunter2"}}
    make_job(world.org, type="http", payload={**call, "body": "x" * 500})
    make_job(world.org, type="http", payload={**call, "body": "x" * 9_000})
    client = browser(world.viewer)
    assert "arguments" not in read(client.get("/jobs/")).one("table").text.lower()

    client.post("/jobs/columns/", {"column": ["arguments"]})

    page = read(client.get("/jobs/"))
    large, small = [one.text for one in page.all("span", css="glance")]
    assert "crm.example.com" in small
    assert len(small) == 120
    assert "hunter2" not in page.text
    assert large.endswith("of arguments")
    assert "xxx" not in large


def test_a_platform_admin_who_is_no_member_is_told(world: World) -> None:
    client = browser(world.platform_admin)
    client.post("/organisations/switch/", {"org": "acme"})

    assert "Only members" in read(client.post("/jobs/views/", {"name": "x", "query": ""})).one("p", role="alert").text
    assert client.post("/jobs/columns/", {"column": "queue"}).status_code == 302


def test_each_active_filter_can_be_taken_away(world: World) -> None:
    page = read(browser(world.viewer).get("/jobs/?q=x&tag=eu&within=7d&status=failed&sort=name"))

    chips = {one.attributes["id"]: one for one in page.all("a", css="active")}
    assert list(chips) == ["active-q", "active-within", "active-tag", "active-status"]
    assert "7 days" in chips["active-within"].text
    assert chips["active-tag"].attributes["href"] == "/jobs/?q=x&within=7d&sort=name&status=failed"


def test_a_list_leads_to_the_charts_of_its_queue_and_type(world: World) -> None:
    client = browser(world.viewer)

    def charts(query: str) -> str:
        (link,) = [one for one in read(client.get(f"/jobs/{query}")).all("a") if one.text == "Charts"]
        return link.attributes["href"]

    assert charts("") == "/analytics/"
    assert charts("?status=failed&queue=default&type=http") == "/analytics/?queue=default&type=http"
    assert client.get(charts("?queue=default&type=http")).status_code == 200


def test_a_search_that_cannot_be_asked_is_told_beside_the_box(world: World) -> None:
    make_job(world.org)

    page = read(browser(world.viewer).get("/jobs/?q=payload.password:x"))

    assert job_ids(page) == []
    assert "payload.password is hidden" in page.one("ul", css="errorlist").text


def test_the_box_is_completed_from_what_there_is(world: World) -> None:
    from tests.jobs.search.following import index_all

    make_dead_letter(world.org, name="nightly", tags=["eu"])
    make_job(world.rival, name="theirs")
    index_all()

    page = read(browser(world.viewer).get("/jobs/"))

    offered = {
        name: [one.attributes["value"] for one in page.by_id(name).all("option")]
        for name in ("names", "tags", "errors")
    }
    assert offered == {"names": ["nightly"], "tags": ["eu"], "errors": ["ValueError"]}


# --- Before and after -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sort", [sign + word for word in SORTS for sign in ("-", "")])
def test_a_job_knows_what_stands_before_and_after_it(world: World, sort: str) -> None:
    for number in range(2):
        make_dead_letter(world.org, name=f"n{number}")
    for number in range(3):
        make_job(world.org, name=f"n{number % 2}", delay_seconds=60)
    make_job(world.rival)
    Job.objects.filter(name="n1").update(predicted_ms=7, priority=0.5)
    order = page(Job.objects.for_org(world.org), size=100, sort=parse_sort(sort)).jobs
    scope = find_scope(world.viewer, None)

    for place, job in enumerate(order):
        found = neighbours(scope, job, f"list=jobs&sort={sort}")

        assert found is not None
        assert found.previous == (order[place - 1].pk if place else None), place
        assert found.next == (order[place + 1].pk if place + 1 < len(order) else None), place


def test_rows_carry_their_list_to_the_page_of_the_job(world: World) -> None:
    first, second, other = (make_done(world.org, name=name) for name in ("a", "a", "b"))
    client = browser(world.viewer)
    shown = read(client.get("/jobs/?name=a&limit=25"))
    link = next(one.attributes["href"] for one in shown.all("a", css="name") if str(first.pk) in one.attributes["href"])
    (carried,) = parse_qs(urlsplit(link).query)["in"]

    found = neighbours(find_scope(world.viewer, None), first, carried)

    assert found is not None
    assert (found.previous, found.next, found.list_url) == (second.pk, None, "/jobs/?name=a")
    assert client.get(link).status_code == 200
    dead = make_dead_letter(world.org)
    of_dead = neighbours(find_scope(world.viewer, None), dead, "list=dead&failed_after=2020-01-01T00:00")
    assert of_dead is not None
    assert of_dead.list_url.startswith("/dead-letters/?")
    assert other.pk


@pytest.mark.parametrize("query", ["", "x", "list=none", "list=jobs&sort=password", "list=jobs&" + "x" * 2_000])
def test_what_is_no_list_has_no_neighbours(world: World, query: str) -> None:
    assert neighbours(find_scope(world.viewer, None), make_job(world.org), query) is None


def test_views_over_the_api(world: World) -> None:
    client = api(world.viewer)
    made = client.post("/api/v1/job-views/", {"name": "Mine", "query": "status=failed&cursor=x"})
    assert (made.status_code, made["Location"]) == (201, f"/api/v1/job-views/{made.json()['id']}/")
    assert (made.json()["query"], made.json()["shared"]) == ("status=failed", False)
    assert client.post("/api/v1/job-views/", {"name": "Mine"}).status_code == 409
    assert client.post("/api/v1/job-views/", {"name": "x", "shared": True}).status_code == 403
    path = made["Location"]
    assert api(world.operator).get(path).status_code == 404
    changed = client.patch(path, {"name": "Other", "first": True}).json()
    assert changed["name"] == "Other"
    assert ListSettings.objects.get().default_view_id == changed["id"]
    assert [one["name"] for one in client.get("/api/v1/job-views/").json()["items"]] == ["Other"]
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get("/api/v1/job-views/nonsense/").status_code == 404
