"""The overview: says how it is, links to why, and refreshes itself only when something changed."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.http import HttpResponse
from django.utils import timezone

from analytics import drawn, views
from jobs.listing import TooSlow
from jobs.models import DepthSample, Job, Queue, Ready
from jobs.states import Outcome
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.analytics.rows import make_process, make_term, numbers_of, roll_up
from tests.conftest import World
from tests.factories import (
    PastRun,
    api,
    browser,
    claim_all,
    finish_one,
    make_dead_letter,
    make_done,
    make_job,
    make_key,
    make_runs,
    with_key,
)
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

HTMX = {"HTTP_HX_REQUEST": "true"}


def get(world: World, path: str = "/", who: str = "owner") -> HttpResponse:
    response = browser(world.people()[who]).get(path)
    assert response.status_code == 200
    return response


def page(world: World, path: str = "/", who: str = "owner") -> Element:
    return read(get(world, path, who))


def version(response: HttpResponse) -> str:
    (found,) = re.findall(r'data-version="([^"]+)"', response.content.decode())
    return found


def poll(world: World, v: str, path: str = "/", who: str = "owner") -> HttpResponse:
    return browser(world.people()[who]).get(path, {"v": v}, **HTMX)


def healthy() -> None:
    make_process()
    make_term(1)


def health_line(world: World) -> Element:
    return page(world).by_id("health")


@pytest.mark.parametrize("path", ["/", "/workers/"])
@pytest.mark.parametrize("who", ["owner", "operator", "viewer", "outsider"])
def test_every_member_sees_the_page(world: World, path: str, who: str) -> None:
    assert page(world, path, who).one("h1")


@pytest.mark.parametrize("path", ["/", "/workers/"])
def test_others_are_sent_where_they_can_do_something(world: World, path: str) -> None:
    anonymous, loner = browser().get(path), browser(world.loner).get(path)

    assert (anonymous.status_code, anonymous.headers["Location"]) == (302, f"/sign-in/?next={path.replace('/', '%2F')}")
    assert (loner.status_code, loner.headers["Location"]) == (302, "/organisations/")
    assert browser(world.owner).post(path).status_code == 405


def test_when_all_is_well_it_says_so_in_words_each_a_link(world: World) -> None:
    healthy()

    line = health_line(world)

    assert line.text == "Healthy 1 worker nothing waiting 0 dead in 1 h"
    assert [link.attributes["href"] for link in line.all("a")] == [
        "/workers/",
        "/workers/",
        "/jobs/?status=queued",
        "/dead-letters/?within=1h",
    ]


def test_the_oldest_waiting_job_is_told_by_its_age(world: World) -> None:
    healthy()
    make_job(world.org)
    old = make_job(world.org)
    Ready.objects.filter(job_id=old.pk).update(queued_at=timezone.now() - timedelta(minutes=10))

    line = health_line(world)

    assert "oldest waiting 10 m" in line.text
    assert line.all("a", href="/jobs/?status=queued&sort=created")


def test_a_running_job_is_not_one_that_waits(world: World) -> None:
    healthy()
    make_job(world.org)
    claim_all()

    assert "nothing waiting" in health_line(world).text


def test_jobs_that_wait_without_any_worker_are_the_worst(world: World) -> None:
    make_term(1)
    make_job(world.org)

    line = health_line(world)

    assert line.text.startswith("Standing still : jobs wait and no worker runs 0 workers")
    assert "bad" in line.attributes["class"]


@pytest.mark.parametrize("beat_ago", [None, 60])
def test_without_an_active_leader_nothing_is_healthy(world: World, beat_ago: float | None) -> None:
    make_process()
    if beat_ago:
        make_term(beat_ago)

    assert health_line(world).text.startswith("No leader : nothing scheduled or retried will start")


def test_recent_dead_letters_need_attention_and_old_ones_do_not(world: World) -> None:
    healthy()
    job = make_dead_letter(world.org)

    now = health_line(world)
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(hours=2))
    later = health_line(world)

    assert now.text.startswith("Needs attention : jobs have failed for good")
    assert "1 dead in 1 h" in now.text
    assert later.text.startswith("Healthy")


def test_a_job_that_waits_for_long_is_said_unless_a_queue_is_paused(world: World) -> None:
    healthy()
    job = make_job(world.org)
    Ready.objects.filter(job_id=job.pk).update(queued_at=timezone.now() - timedelta(minutes=5))

    slow = health_line(world)
    Queue.objects.update(paused_at=timezone.now())
    paused = health_line(world)

    assert slow.text.startswith("Slow : a job has waited for long")
    assert paused.text.startswith("Healthy")
    assert "1 queue paused" in paused.text


def test_no_worker_and_nothing_to_do_is_idle(world: World) -> None:
    make_term(1)

    assert health_line(world).text.startswith("Idle")


@pytest.mark.parametrize(
    ("queues", "warned"), [(["default"], ["mail"]), (["default", "mail"], []), (["*"], []), (["mail"], [])]
)
def test_a_queue_that_no_worker_takes_is_named_only_when_jobs_wait_in_it(
    world: World, queues: list[str], warned: list[str]
) -> None:
    make_term(1)
    make_process(queues=queues)
    make_job(world.org, queue="mail")
    make_done(world.org)  # in default, where nothing waits
    make_job(world.rival, queue="theirs")

    found = page(world).all("div", css="warning")

    assert [one.attributes["id"] for one in found] == [f"unserved-{queue}" for queue in warned]
    for one in found:
        assert "manage.py runworker --queues mail" in one.text


def test_a_type_that_no_worker_runs_is_named_with_its_queue(world: World) -> None:
    make_term(1)
    make_process(types=["http"])
    make_job(world.org, queue="mail")

    (found,) = page(world).all("div", css="warning")

    assert found.text.startswith("No worker takes python jobs from the queue mail , and some wait in it.")


@pytest.mark.parametrize("worker", [{"status": "draining"}, {"status": "dead"}, {"kind": "scheduler"}, {"late": True}])
def test_only_a_living_worker_takes_a_queue(world: World, worker: dict[str, Any]) -> None:
    if worker.pop("late", False):
        worker["beat_at"] = timezone.now() - timedelta(minutes=1)
    make_process(**worker)
    make_job(world.org)

    assert page(world).by_id("unserved-default")


def test_a_paused_queue_waits_for_a_person_and_not_for_a_worker(world: World) -> None:
    make_job(world.org, queue="mail")
    Queue.objects.update(paused_at=timezone.now())

    assert not page(world).all("div", css="warning")


def test_each_count_links_to_the_jobs_it_counts(world: World) -> None:
    make_done(world.org)
    make_dead_letter(world.org)
    make_done(world.rival)

    found = page(world)

    assert found.by_id("count-total").text == "all jobs 2"
    for status in ("scheduled", "queued", "running", "done", "failed", "cancelled"):
        card = found.by_id(f"count-{status}")
        assert card.attributes["href"] == f"/jobs/?status={status}"
        assert card.text == f"{status} {1 if status in {'done', 'failed'} else 0}"


def test_charts_say_in_a_sentence_and_in_a_table_what_they_draw(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0)] * 3 + [PastRun(4000.0, failed=True)])
    DepthSample.objects.create(
        org_id=world.org.pk, queue="default", at=timezone.now(), queued=7, running=2, scheduled=0
    )

    roll_up()

    found = page(world, "/?hours=1")

    charts = found.by_id("charts")
    assert "3 attempts done and 1 failed, 25.0% of all." in charts.text
    assert "Lately 7 waiting and 2 running; at most 7 waited." in charts.text
    assert "Of the last 3 runs, half were within 2.0 times of what was predicted" in charts.text
    plots = charts.all("div", css="plot")
    assert [plot.attributes["id"] for plot in plots] == [
        "throughput-plot", "waits-plot", "depth-plot", "predicted-plot",
    ]  # fmt: skip
    for plot in plots:
        assert plot.attributes["role"] == "img"
        assert plot.attributes["aria-label"]
    done, failed = numbers_of(get(world, "/?hours=1"), "throughput")["lines"]
    assert (sum(done["values"]), sum(failed["values"])) == (3, 1)
    assert len(numbers_of(get(world, "/?hours=1"), "predicted")["links"]) == 4
    flow = charts.by_id("throughput-numbers")
    assert len(flow.all("tr")) == 61
    assert sum(int(cells[1].text) for cells in (row.all("td") for row in flow.all("tr")) if cells) == 3
    assert charts.by_id("depth-numbers").all("td")[1].text == "7"
    assert len(charts.by_id("predicted-numbers").all("tr")) == 5


@pytest.mark.parametrize(
    ("hours", "current"), [("1", "1 hour"), ("720", "30 days"), ("5", "24 hours"), ("x", "24 hours"), ("", "24 hours")]
)
def test_the_span_is_one_of_four(world: World, hours: str, current: str) -> None:
    found = page(world, f"/?hours={hours}")

    (chip,) = [chip for chip in found.all("a", css="chip") if "aria-current" in chip.attributes]
    assert chip.text == current
    asked = chip.attributes["href"]
    assert found.by_id("pulse").attributes["hx-get"] == asked


def test_without_a_run_each_chart_says_what_will_be_there(world: World) -> None:
    text = page(world).by_id("charts").text

    assert "0 attempts done and 0 failed." in text
    assert "The leader writes down how many jobs wait and run; it has written nothing in this time." in text
    assert "No run has come to an end yet." in text


def test_too_much_to_draw_is_said_and_the_rest_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*args: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(views.sums, "over_time", too_slow)

    found = page(world)

    assert "Too much to draw" in found.by_id("charts").text
    assert found.by_id("count-total")


def test_the_leader_is_shown_with_its_epoch(world: World) -> None:
    term = make_term(1, elected_at=timezone.now() - timedelta(minutes=10))

    text = page(world).by_id("beside").text

    assert f"active host-9 Epoch {term.epoch} Leads since 10 m ago" in text


def test_without_a_scheduler_it_says_how_to_start_one(world: World) -> None:
    text = page(world).by_id("beside").text

    assert "No scheduler has ever led" in text
    assert "manage.py runscheduler" in text


def test_recent_failures_are_ones_own_with_the_reason(world: World) -> None:
    ours, theirs = make_dead_letter(world.org, title="Ours"), make_dead_letter(world.rival, title="Theirs")

    beside = page(world).by_id("beside")

    assert beside.by_id(f"failure-{ours.pk}").all("a", href=f"/jobs/{ours.pk}/")
    assert "ValueError: broken" in beside.text
    assert str(theirs.pk) not in get(world).content.decode()


def ticked(world: World, who: str = "owner") -> list[str]:
    return [step.attributes["id"].removeprefix("step-") for step in page(world, who=who).all("li", css="ticked")]


def test_the_first_steps_tick_themselves_as_they_are_taken(world: World) -> None:
    assert ticked(world) == []
    ours = make_job(world.org, world.owner)
    assert ticked(world) == ["submit"]
    for claimed in claim_all():
        assert claimed.job_id == ours.pk
        finish_one(claimed)
    assert ticked(world) == ["submit", "watch"]
    broken = make_dead_letter(world.org)
    assert browser(world.owner).post(f"/jobs/{broken.pk}/replay/").status_code == 302
    assert ticked(world) == ["submit", "watch", "replay"]
    give_tokens(world.owner)
    assert ticked(world) == ["submit", "watch", "replay", "api"]
    client = browser(world.owner)
    assert client.post("/first-steps/model/")["Location"] == "/model/"
    assert not read(client.get("/")).all("section", id="first-steps")


def test_a_key_that_was_used_is_a_call_too(world: World) -> None:
    token = make_key(world.owner, world.org, role=Role.VIEWER)
    assert ticked(world) == []
    with_key(token).get("/api/v1/jobs/")

    assert "api" in ticked(world)


def test_a_job_is_broken_by_a_button_and_replayed_from_its_page(world: World) -> None:
    client = browser(world.operator)
    step = read(client.get("/")).by_id("step-replay")
    fields = {one.attributes["name"]: one.attributes["value"] for one in step.all("input") if "name" in one.attributes}
    assert client.post("/jobs/submit/", fields).status_code == 302
    job = Job.objects.get()
    assert job.max_attempts == 2
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.ERROR, permanent=True)

    step = read(client.get("/")).by_id("step-replay")

    assert step.all("a", href=f"/jobs/{job.pk}/")
    assert client.post(f"/jobs/{job.pk}/replay/").status_code == 302
    assert "ticked" in read(client.get("/")).by_id("step-replay").attributes["class"]


def test_what_others_did_ticks_nothing(world: World) -> None:
    make_job(world.org, world.operator)
    make_job(world.rival, world.outsider)
    make_done(world.org)

    assert ticked(world) == []
    assert ticked(world, "operator") == ["submit"]


def test_who_only_reads_has_no_steps(world: World) -> None:
    assert not page(world, who="viewer").all("section", id="first-steps")


def test_the_steps_can_be_put_away(world: World) -> None:
    client = browser(world.owner)

    response = client.post("/first-steps/hide/")

    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert not read(client.get("/")).all("section", id="first-steps")
    assert client.get("/first-steps/hide/").status_code == 405
    assert browser().post("/first-steps/hide/").status_code == 302


def test_a_poll_without_a_change_is_answered_with_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy()
    monkeypatch.setattr(views.time, "time", lambda: 1_000_000.0)
    shown = version(get(world))

    answer = poll(world, shown)

    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (204, b"", "no-store")


def test_a_poll_after_a_move_gets_the_region_and_what_moves_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy()
    monkeypatch.setattr(views.time, "time", lambda: 1_000_000.0)
    shown = version(get(world))
    make_job(world.org)

    answer = poll(world, shown)

    fragment = read(answer)
    assert [one.attributes.get("id") for one in fragment.children if isinstance(one, Element)] == ["pulse", "beside"]
    assert fragment.by_id("count-queued").text == "queued 1"
    assert fragment.by_id("beside").attributes["hx-swap-oob"] == "morph"
    assert poll(world, version(answer)).status_code == 204


def test_charts_come_along_when_theirs_are_old_and_something_moved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy()
    now = 1_000_000.0
    monkeypatch.setattr(views.time, "time", lambda: now)
    shown = version(get(world))
    make_job(world.org)
    first = poll(world, shown)
    assert b'id="charts"' not in first.content

    now += views.IDLE_SECONDS
    second = poll(world, version(first))
    now += views.IDLE_SECONDS
    third = poll(world, version(second))
    now += drawn.CHARTS_SECONDS * drawn.CHARTS_IDLE
    fourth = poll(world, version(third))

    assert read(second).by_id("charts").attributes["hx-swap-oob"] == "morph"
    assert b'id="charts"' not in third.content  # nothing moved since
    assert b'id="charts"' in fourth.content  # but time did


def test_another_organisations_moves_change_nothing_here(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy()
    monkeypatch.setattr(views.time, "time", lambda: 1_000_000.0)
    shown = version(get(world))
    make_job(world.rival)

    assert poll(world, shown).status_code == 204


@pytest.mark.parametrize("what", ["worker comes", "worker is late", "leader is late"])
def test_the_pool_and_the_leader_change_the_version(world: World, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, term = make_process(), make_term(1)
    monkeypatch.setattr(views.time, "time", lambda: 1_000_000.0)
    shown = version(get(world))
    minute_ago = timezone.now() - timedelta(minutes=1)
    if what == "worker comes":
        make_process(id=UUID(int=1))
    elif what == "worker is late":
        worker.beat_at = minute_ago
        worker.save()
    else:
        term.beat_at = minute_ago
        term.save()

    assert poll(world, shown).status_code == 200


@pytest.mark.parametrize("v", ["", "x", "~", "~1-", "~99999999999999999999-1", "1~-5-3", "\x00", "~١-1"])
def test_a_version_that_was_never_given_out_gets_everything(world: World, v: str) -> None:
    assert b'id="charts"' in poll(world, v).content


def test_a_viewer_is_offered_nothing_that_he_may_not_do(world: World) -> None:
    found = page(world, who="viewer")

    assert not found.by_id("main").all("a", href="/jobs/submit/")


def test_names_and_errors_of_jobs_are_text(world: World) -> None:
    nasty = '<img src=x onerror="alert(1)">'
    make_dead_letter(world.org, title=nasty, name=nasty)

    assert "<img" not in get(world).content.decode()


def test_the_overview_costs_a_bounded_number_of_queries(world: World, django_assert_max_num_queries: Any) -> None:
    healthy()
    make_runs(world.org, [PastRun(5.0)] * 30)
    for _ in range(8):
        make_dead_letter(world.org)
    client = browser(world.owner)
    client.get("/")

    with django_assert_max_num_queries(24):
        client.get("/")


def test_an_unchanged_poll_costs_two_questions_beside_who_asks(
    world: World, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(views.time, "time", lambda: 1_000_000.0)
    client = browser(world.owner)
    shown = version(client.get("/"))

    with django_assert_max_num_queries(5):
        assert client.get("/", {"v": shown}, **HTMX).status_code == 204


def test_the_numbers_of_the_api_and_of_the_page_are_the_same(world: World) -> None:
    make_done(world.org)
    make_job(world.org)

    numbers = api(world.owner).get("/api/v1/counts/").json()

    found = page(world)
    assert found.by_id("count-total").text == f"all jobs {numbers['total']}"
    for status, jobs in numbers["by_status"].items():
        assert found.by_id(f"count-{status}").text == f"{status} {jobs}"
