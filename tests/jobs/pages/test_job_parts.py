"""What the page of a job is made of: its life as a track, its values as trees, its kin and its commands."""

import json
import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from jobs.models import ClassifierVersion, Job, Label, Transition
from jobs.pages.history import Step
from jobs.pages.track import track
from jobs.queue.batches import enqueue_batch
from jobs.queue.control import replay
from jobs.queue.enqueue import NewJob
from jobs.queue.lease import report
from jobs.templatetags.json_tree import json_tree
from smartqueue.env import env_template
from tests.conftest import World
from tests.factories import browser, claim_all, finish_one, make_dead_letter, make_done, make_history, make_job
from tests.jobs.pages.pages import Element, read
from tests.jobs.queue.acts import scope_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SUM = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}


def page_of(world: World, job: Job, query: str = "") -> Element:
    return read(browser(world.owner).get(f"/jobs/{job.pk}/{query}"))


def has(page: Element, id: str) -> bool:
    return any(one.attributes.get("id") == id for one in page.walk())


def steps_of(*moves: tuple[str, float]) -> list[Step]:
    return [Step(status, 1, "user:ada", "", NOON + timedelta(seconds=at), None) for status, at in moves]


# --- Its life -------------------------------------------------------------------------------------------------------


def test_a_track_has_a_piece_for_each_status_as_long_as_it_was() -> None:
    pieces = track(steps_of(("queued", 0), ("running", 30), ("done", 40)), NOON + timedelta(hours=1))

    assert [(one.status, one.seconds, one.goes_on) for one in pieces] == [("queued", 30, False), ("running", 10, False)]
    assert pieces[0].width > 2 * pieces[1].width


def test_the_last_piece_of_a_job_that_has_not_ended_goes_on() -> None:
    pieces = track(steps_of(("scheduled", 0), ("scheduled", 10), ("queued", 20)), NOON + timedelta(seconds=50))

    assert [(one.status, one.seconds, one.goes_on) for one in pieces] == [
        ("scheduled", 20, False),
        ("queued", 30, True),
    ]


@given(st.lists(st.tuples(st.sampled_from(["queued", "running", "scheduled"]), st.floats(0, 1e7)), max_size=40))
def test_a_track_fills_its_line_whatever_happened(moves: list[tuple[str, float]]) -> None:
    passed, found = 0.0, []
    for status, took in moves:
        found.append((status, passed))
        passed += took
    pieces = track(steps_of(*found), NOON + timedelta(seconds=passed))

    if moves:
        assert sum(one.width for one in pieces) == pytest.approx(100, abs=0.3)
        assert all(one.width >= 2.9 for one in pieces)


def test_the_timeline_is_shown_compact_and_as_json_too(world: World) -> None:
    job = make_done(world.org)

    assert len(page_of(world, job).all("ol", css="timeline")) == 1
    compact = page_of(world, job, "?history=compact")
    assert compact.all("ol", css="timeline") == []
    assert "queued" in compact.by_id("track").text
    said = browser(world.viewer).get(f"/jobs/{job.pk}/timeline/").json()
    assert [move["to_status"] for move in said["moves"]] == ["queued", "running", "done"]
    assert said["job_id"] == str(job.pk)


def test_what_is_left_is_told_by_the_rate_and_by_the_prediction(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    said = {"token": str(claimed.token), "progress": 0.5, "progress_message": "half"}
    report(lines=[], progress=[said])

    page = page_of(world, job)

    assert page.one("progress").attributes["value"] == "0.5"
    assert "At the rate it has gone it ends in about" in page.by_id("eta").text
    assert "by the prediction" in page.by_id("eta").text


# --- Its values -----------------------------------------------------------------------------------------------------


def test_numbers_are_exact_however_big() -> None:
    value = {"id": 2**53 + 1, "greater": 10**30, "share": 0.1}

    text = str(json_tree(value))

    assert "9007199254740993" in text
    assert "1" + "0" * 30 in text
    assert "0.1" in text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
        max_leaves=20,
    )
)
def test_no_value_is_anything_but_text(value: Any) -> None:
    tree = str(json_tree({"value": value, "<script>": "<script>alert(1)</script>"}))

    assert "<script" not in tree
    assert tree.count("<ul") == tree.count("</ul>")
    assert tree.count("<details") == tree.count("</details>")


def test_great_values_are_cut_and_say_so() -> None:
    assert "more character" in str(json_tree({"text": "x" * 5_000}))
    assert len(str(json_tree(list(range(100_000))))) < 100_000


def test_a_payload_is_a_tree_with_its_secrets_masked_here_and_raw(world: World) -> None:
    payload = {"url": "https://example.com/", "headers": {"Authorization": "hunter2"}}
    job = make_job(world.org, type="http", payload=payload)

    page = page_of(world, job)

    assert "hunter2" not in page.text
    assert page.by_id("payload-tree").all("details")
    raw = browser(world.viewer).get(f"/jobs/{job.pk}/payload/")
    assert raw["Content-Type"] == "application/json"
    assert raw.json()["url"] == payload["url"]
    assert b"hunter2" not in raw.content


# --- Its kin --------------------------------------------------------------------------------------------------------


def test_who_waits_for_whom_is_linked_both_ways(world: World) -> None:
    parent = make_job(world.org)
    child = make_job(world.org, after=[parent.pk])
    parent.refresh_from_db()

    assert page_of(world, parent).by_id("lineage").all("a", href=f"/jobs/{child.pk}/")
    assert page_of(world, child).by_id("lineage").all("a", href=f"/jobs/{parent.pk}/")


def test_its_batch_and_its_replays_are_told(world: World) -> None:
    made = enqueue_batch([NewJob("python", SUM)], org=world.org, user=world.operator, name="evening")
    job = Job.objects.get(batch_id=made.batch_id)
    assert "evening" in page_of(world, job).by_id("lineage").text
    dead = make_dead_letter(world.org)
    replay(dead.pk, scope=scope_of(world))

    assert "Replayed once" in page_of(world, dead).by_id("lineage").text


def test_a_job_of_a_schedule_names_it(world: World) -> None:
    job = make_job(world.org)
    Transition.objects.filter(job_id=job.pk).update(actor="schedule:nightly")

    assert "nightly" in page_of(world, job).by_id("lineage").text


def test_its_trace_and_logs_are_linked_where_the_deployment_says(world: World, settings: Settings) -> None:
    settings.TRACE_URL = "https://traces.example/trace/{trace_id}"
    settings.LOG_URL = "https://logs.example/?q={job_id}&c={correlation_id}"
    job = make_job(world.org)
    Job.objects.filter(pk=job.pk).update(correlation_id="a&b")

    page = page_of(world, job)

    trace = page.by_id("trace-link").attributes["href"]
    assert trace.startswith("https://traces.example/trace/")
    assert len(trace.rpartition("/")[2]) == 32
    assert page.by_id("log-link").attributes["href"] == f"https://logs.example/?q={job.pk}&c=a%26b"


@pytest.mark.parametrize("template", ["ftp://x/{job_id}", "https://x/{secret}", "https://x/{", "{job_id}"])
def test_an_address_that_cannot_be_stops_the_start(monkeypatch: pytest.MonkeyPatch, template: str) -> None:
    monkeypatch.setenv("SMARTQUEUE_TRACE_URL", template)

    with pytest.raises(ImproperlyConfigured, match="SMARTQUEUE_TRACE_URL"):
        env_template("SMARTQUEUE_TRACE_URL", {"job_id"})


def test_how_its_kind_has_run_stands_beside_it(world: World) -> None:
    make_history(world.org, [1000.0] * 3)

    kind = page_of(world, make_job(world.org)).by_id("kind")

    assert len(kind.one("svg").all("rect")) == 3
    assert "Usually 1.0 s" in kind.text
    assert "100 % of 3 runs" in kind.text


def test_what_stands_before_and_after_it_in_its_list_is_linked(world: World) -> None:
    one, two, three = (make_job(world.org) for _ in range(3))

    page = page_of(world, two, "?history=compact&in=list%3Djobs")

    assert page.by_id("previous-job").attributes["href"].startswith(f"/jobs/{three.pk}/?in=list")
    assert page.by_id("next-job").attributes["href"].startswith(f"/jobs/{one.pk}/?in=list")
    assert "in=list" in page.by_id("history-full").attributes["href"]
    assert "in=list" in page.by_id("job").attributes["hx-get"]
    assert not has(page_of(world, two), "next-job")


# --- Its text -------------------------------------------------------------------------------------------------------


def told_job(world: World, **told: Any) -> Job:
    job = make_job(world.org, title="The database is down")
    told = {
        "category": "Database", "urgency": "high", "confidence": 0.9, "urgency_confidence": 0.9, "source": "model",
        "words": ["database"], "probabilities": {"Database": 0.9, "Network": 0.1}, "action": "", "given": [], **told,
    }  # fmt: skip
    Job.objects.filter(pk=job.pk).update(classification=told)
    return job


def test_words_are_shown_with_their_weight_and_sign(world: World) -> None:
    why = page_of(world, told_job(world, pulls={"database": 1.5, "type python": -0.5})).by_id("why")

    assert "database +1.50" in why.text
    assert "type python −0.50" in why.text
    assert [one.attributes["class"] for one in why.all("svg")][:2] == ["job-bar speaks", "job-bar against"]
    assert "Sure enough: 60 % are needed." in why.text


def test_what_was_told_before_words_had_weights_is_shown_as_well(world: World) -> None:
    assert "database" in page_of(world, told_job(world)).by_id("why").text


def test_a_correction_says_when_it_was_learnt(world: World) -> None:
    job = told_job(world)
    client = browser(world.owner)
    client.post(f"/jobs/{job.pk}/classification/", {"category": "Network"})
    assert "Not learnt yet" in page_of(world, job).by_id("learnt").text

    label = Label.objects.get(job_id=job.pk)
    ClassifierVersion.objects.create(
        org=world.org, version=7, weights=b"", categories=[], labels=1, last_label_id=label.pk, metrics={}
    )

    assert "Learnt: version 7" in page_of(world, job).by_id("learnt").text


# --- What was done to it, and how to do it again -------------------------------------------------------------------


def test_an_org_admin_sees_what_was_done_to_it_and_others_do_not(world: World) -> None:
    job = make_job(world.org)
    browser(world.owner).post(f"/jobs/{job.pk}/change/", {"urgency": "high", "reason": "quick"})

    trail = page_of(world, job).by_id("trail")

    assert "job.urgency" in trail.text
    assert "urgency: medium → high" in trail.text
    assert "quick" in trail.text
    assert not has(read(browser(world.operator).get(f"/jobs/{job.pk}/")), "trail")


def test_the_commands_say_the_same(world: World) -> None:
    job = make_job(world.org, title="it's $(id) `id`", urgency="high", timeout_seconds=9)

    page = page_of(world, job)

    words = shlex.split(page.by_id("sq").raw)
    assert words[:3] == ["sq", "submit", "python"]
    assert json.loads(words[3]) == SUM
    assert words[words.index("--title") + 1] == "it's $(id) `id`"
    assert words[words.index("--timeout") + 1] == "9"
    calls: dict[str, Any] = {}

    class Client:
        def __init__(self, url: str, **given: Any) -> None:
            calls["client"] = url, given

        def submit(self, *given: Any, **named: Any) -> None:
            calls["submit"] = given, named

    python = page.by_id("python").raw
    compile(python, "snippet", "exec")
    python = python.replace("from smartqueue_client import Client", "").replace('os.environ["SMARTQUEUE_KEY"]', "'k'")
    exec(python, {"Client": Client})  # noqa: S102 - what a person would paste
    assert calls["client"] == ("http://testserver", {"key": "k", "org": "acme"})
    assert calls["submit"][0] == ("python", SUM)
    assert calls["submit"][1]["title"] == "it's $(id) `id`"


def test_a_page_of_a_waiting_job_asks_few_questions(world: World) -> None:
    job = make_job(world.org, title="The database is down")
    client = browser(world.owner)
    client.get(f"/jobs/{job.pk}/")

    with CaptureQueriesContext(connection) as asked:
        client.get(f"/jobs/{job.pk}/")

    # four of them who asks, and where: the page's own are twelve
    assert len([one for one in asked.captured_queries if "SAVEPOINT" not in one["sql"]]) <= 16


# --- The forms ------------------------------------------------------------------------------------------------------


def act(world: World, job: Job, what: str, **fields: str) -> Job:
    response = browser(world.operator).post(f"/jobs/{job.pk}/{what}/", fields)
    assert response["Location"] == f"/jobs/{job.pk}/"
    job.refresh_from_db()
    return job


def test_a_job_is_put_off_and_run_now_from_its_page(world: World) -> None:
    job = act(world, make_job(world.org), "snooze", seconds="3600", reason="later")
    assert job.status == "scheduled"
    page = page_of(world, job)
    assert page.all("form", action=f"/jobs/{job.pk}/run-now/")
    assert "snoozed: later" in page.by_id("track").text

    assert act(world, job, "run-now").status == "queued"


def test_a_time_of_the_form_is_in_utc(world: World) -> None:
    until = datetime.now(UTC).replace(microsecond=0, tzinfo=None) + timedelta(days=1)

    job = act(world, make_job(world.org), "snooze", until=until.isoformat(), seconds="300")

    assert job.run_at == until.replace(tzinfo=UTC)


def test_urgency_and_queue_are_changed_together(world: World) -> None:
    job = act(world, make_job(world.org), "change", urgency="high", queue="elsewhere")

    assert (job.urgency, job.queue) == ("high", "elsewhere")


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("snooze", {"seconds": "x"}),
        ("snooze", {"until": "99999-01-01T00:00", "seconds": ""}),
        ("change", {"queue": "No Such Name"}),
        ("change", {"urgency": "extreme"}),
        ("run-now", {}),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(world: World, what: str, fields: dict[str, str]) -> None:
    client = browser(world.operator)
    job = make_job(world.org)

    page = read(client.post(f"/jobs/{job.pk}/{what}/", fields, follow=True))

    assert "Not changed." in page.one("ul", css="messages").text
    job.refresh_from_db()
    assert (job.status, job.queue, job.urgency) == ("queued", "default", "medium")


def test_a_job_that_runs_cannot_be_changed_from_its_page(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()

    assert not has(page_of(world, job), "change")
    finish_one(claimed)
    assert not has(page_of(world, job), "snooze")


def test_a_viewer_sees_what_an_operator_could_do(world: World) -> None:
    page = read(browser(world.viewer).get(f"/jobs/{make_job(world.org).pk}/"))

    for name in ("Snooze", "Change"):
        (button,) = [one for one in page.all("button") if one.text == name]
        assert "disabled" in button.attributes
        assert button.attributes["aria-describedby"] == "why-not"
