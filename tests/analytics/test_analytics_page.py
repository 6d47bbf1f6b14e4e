"""The page of analytics: what is asked for stands in its address; the numbers are those of the organisation alone."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.http import HttpResponse

from analytics import drawn, page, views
from jobs.listing import TooSlow
from jobs.models import Attempt, ModelVersion, Release
from jobs.queue.control import pause, resume
from orgs.roles import Role
from orgs.scope import Scope
from tests.analytics.rows import numbers_of, roll_up
from tests.conftest import World
from tests.factories import PastRun, browser, make_dead_letter, make_done, make_job, make_runs
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}
CHARTS = ["throughput", "waits", "runs", "depth", "attempts", "trouble", "error", "errors"]


def get(world: World, query: str = "", who: str = "owner") -> HttpResponse:
    roll_up()
    response = browser(world.people()[who]).get(f"/analytics/{query}")
    assert response.status_code == 200
    return response


def rows_of(found: Element) -> list[str]:
    return [row.all("td")[0].text for row in found.by_id("kinds").all("tr") if row.all("td")]


@pytest.mark.parametrize("who", ["owner", "operator", "viewer", "outsider"])
def test_every_member_sees_the_page(world: World, who: str) -> None:
    assert read(get(world, who=who)).one("h1").text == "Analytics"


def test_others_are_sent_where_they_can_do_something(world: World) -> None:
    assert browser().get("/analytics/").headers["Location"].startswith("/sign-in/")
    assert browser(world.loner).get("/analytics/").headers["Location"] == "/organisations/"
    assert browser(world.owner).post("/analytics/").status_code == 405


def test_every_chart_has_a_sentence_a_picture_and_a_table(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0)] * 3 + [PastRun(50.0, failed=True)])
    make_done(world.org)

    found = read(get(world, "?hours=1"))

    drawn = [plot.attributes["id"].removesuffix("-plot") for plot in found.all("div", css="plot")]
    assert drawn == [name for name in CHARTS if name != "depth"]
    for name in CHARTS:
        assert len(found.by_id(f"chart-{name}").one("p", css="muted").text) > 20
    for name in drawn:
        plot = found.by_id(f"{name}-plot")
        assert plot.attributes["role"] == "img"
        assert plot.attributes["aria-label"] in found.by_id(f"chart-{name}").text
        assert len(found.by_id(f"{name}-numbers").all("tr")) > 1
    assert "style" not in get(world).content.decode().replace("stylesheet", "")


def test_without_a_run_it_says_what_is_missing(world: World) -> None:
    found = read(get(world))

    assert "Nothing has ended in this time" in found.by_id("kinds").text
    assert found.by_id("kinds").all("a", href="/jobs/submit/")
    # that nothing ended is a number too
    assert "0 attempts done and 0 failed." in found.by_id("chart-throughput").text


def test_it_can_be_narrowed_to_a_queue_and_a_type(world: World) -> None:
    make_done(world.org, queue="mail")
    make_done(world.org)
    make_runs(world.org, [PastRun(5.0, "http", "call")] * 2)

    def done(query: str) -> float:
        return sum(numbers_of(get(world, query), "throughput")["lines"][0]["values"])

    assert [done(query) for query in ("", "?queue=mail", "?type=http", "?queue=mail&type=http")] == [4, 1, 2, 0]
    assert len(numbers_of(get(world, "?queue=mail"), "attempts")["x"]) == 1
    found = read(get(world, "?queue=mail&hours=168"))
    assert rows_of(found) == ["python demo.add"]
    assert found.by_id("analytics").attributes["hx-get"] == "/analytics/?hours=168&queue=mail"
    (shown,) = [one for one in found.all("option") if "selected" in one.attributes]
    assert shown.text == "mail"


@pytest.mark.parametrize("query", ["?hours=x", "?hours=", "?type=nonsense", "?sort=nonsense", "?queue=%00", "?v=x"])
def test_what_is_not_known_is_left_out(world: World, query: str) -> None:
    make_done(world.org)

    assert "24 hours" in [
        one.text for one in read(get(world, query)).all("a", css="chip") if "aria-current" in one.attributes
    ]


def test_kinds_are_sorted_by_every_column(world: World) -> None:
    make_runs(world.org, [PastRun(10.0, name="quick")] * 3 + [PastRun(9000.0, name="slow")])
    make_runs(world.org, [PastRun(50.0, name="broken", failed=True)])

    def order(sort: str) -> list[str]:
        return [text.removeprefix("python ") for text in rows_of(read(get(world, f"?sort={sort}")))]

    assert order("")[0] == "quick"
    assert order("kind") == ["broken", "quick", "slow"]
    assert order("-p95")[0] == "slow"
    assert order("p50")[-1] == "slow"
    assert order("success")[0] == "broken"
    head = read(get(world, "?sort=-p95")).by_id("kinds").all("th")
    assert [one.text for one in head if one.attributes.get("aria-sort") == "descending"] == ["Run p95 ↓"]
    assert head[5].one("a").attributes["href"] == "/analytics/?hours=24&sort=p95"


def test_nothing_of_another_organisation_is_there(world: World) -> None:
    make_done(world.rival, queue="theirs", name="hush-hush")
    make_dead_letter(world.rival)
    pause("theirs", scope=Scope(world.outsider, world.rival, Role.ORG_ADMIN), reason="")

    text = get(world).content.decode()

    assert "hush-hush" not in text
    assert "theirs" not in text
    assert "0 attempts done and 0 failed." in text


def test_marks_say_what_happened_meanwhile(world: World) -> None:
    make_done(world.org)
    scope = Scope(world.owner, world.org, Role.ORG_ADMIN)
    pause("default", scope=scope, reason="")
    resume("default", scope=scope)
    ModelVersion.objects.create(org=world.org, version=4, weights=b"", samples=1, promoted_at=Now())
    for version, days in (("1", 9), ("2", 8), ("3", 0)):
        Release.objects.create(version=version, seen_at=Now() - timedelta(days=days, minutes=5))

    response = get(world)

    found = read(response).by_id("marks")
    assert {one.all("span")[1].text for one in found.all("li")} == {
        "default paused", "default resumed", "model version 4 in use", "SmartQueue 3 deployed",
    }  # fmt: skip
    assert "SmartQueue 2 deployed" in read(get(world, "?hours=720")).by_id("marks").text
    # the first that was ever seen is no change
    assert "SmartQueue 1 deployed" not in read(get(world, "?hours=720")).by_id("marks").text


@pytest.mark.parametrize("name", [*CHARTS, "kinds"])
def test_every_chart_is_a_file_too(world: World, name: str) -> None:
    make_runs(world.org, [PastRun(1000.0)] * 2)

    response = get(world, f"?hours=1&chart={name}&format=csv")

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}-acme-1h.csv"'
    head, *rows = csv.reader(io.StringIO(response.content.decode()))
    assert all(len(row) == len(head) for row in rows)
    if name in {"throughput", "kinds"}:
        assert sum(float(row[1] if name == "throughput" else row[3]) for row in rows) == 2


def test_no_cell_of_a_file_is_a_formula(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0, name="=1+1")])

    for name in ("kinds", "attempts"):
        text = get(world, f"?chart={name}&format=csv").content.decode()
        assert "'=1+1" in text
        assert ",=1" not in text
        assert "\n=1" not in text


def test_there_is_no_file_of_what_is_no_chart(world: World) -> None:
    assert browser(world.owner).get("/analytics/?format=csv&chart=nonsense").status_code == 404


def test_too_much_to_draw_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*args: Any, **kwargs: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(page.sums, "over_time", too_slow)

    assert "Too much to draw" in get(world).content.decode()
    assert browser(world.owner).get("/analytics/?format=csv&chart=waits").status_code == 503


def test_a_poll_brings_charts_when_theirs_are_old_and_something_moved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(views.time, "time", lambda: now)
    client = browser(world.owner)
    shown = read(client.get("/analytics/")).by_id("analytics").attributes["data-version"]
    make_job(world.org)
    assert client.get("/analytics/", {"v": shown}, **HTMX).status_code == 204

    now += drawn.CHARTS_SECONDS
    second = client.get("/analytics/", {"v": shown}, **HTMX)
    shown = read(second).by_id("analytics").attributes["data-version"]
    now += drawn.CHARTS_SECONDS

    assert b"<html" not in second.content
    assert client.get("/analytics/", {"v": shown}, **HTMX).status_code == 204


def test_names_of_jobs_are_text(world: World) -> None:
    nasty = '</script><img src=x onerror="alert(1)">'
    make_runs(world.org, [PastRun(1000.0, name=nasty[:60])])

    assert "<img" not in get(world).content.decode()


def test_an_attempt_of_a_version_before_is_drawn(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0)])
    Attempt.objects.update(queue=None)

    assert len(numbers_of(get(world), "attempts")["x"]) == 1


def test_it_costs_a_bounded_number_of_queries(world: World, django_assert_max_num_queries: Any) -> None:
    make_runs(world.org, [PastRun(5.0)] * 30)
    roll_up()
    client = browser(world.owner)
    client.get("/analytics/")

    with django_assert_max_num_queries(18):
        client.get("/analytics/")
