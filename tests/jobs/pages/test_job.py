"""The page of one job."""

import hashlib
import json
import re
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from pytest_django import DjangoAssertNumQueries

from jobs.models import Artefact, Job, Lease
from jobs.queue import sql
from jobs.queue.claim import Claimed
from jobs.queue.control import cancel, replay
from jobs.queue.finish import note_fenced
from jobs.queue.lease import report
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import browser, claim_all, finish_one, make_dead_letter, make_done, make_history, make_job
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db


def page_of(world: World, job: Job) -> Element:
    return read(browser(world.operator).get(f"/jobs/{job.pk}/"))


def write(claimed: Claimed, *lines: tuple[str, str], **progress: Any) -> None:
    token = str(claimed.token)
    report(
        lines=[
            {"token": token, "sequence": number, "stream": stream, "text": text, "age_seconds": 0}
            for number, (stream, text) in enumerate(lines, 1)
        ],
        progress=[{"token": token, **progress}] if progress else [],
    )


def fact(page: Element, name: str) -> str:
    facts = [one for part in page.all("dl", css="facts") for one in part.children if isinstance(one, Element)]
    (index,) = [number for number, one in enumerate(facts) if one.tag == "dt" and one.text == name]
    return facts[index + 1].text


def scope(world: World) -> Scope:
    return Scope(world.owner, world.org, Role.ORG_ADMIN)


def test_every_field_is_there(world: World) -> None:
    job = make_job(
        world.org,
        user=world.operator,
        title="Add it up",
        description="Twice a day",
        queue="sums",
        urgency="high",
        category="Database",
        timeout_seconds=90,
        max_attempts=7,
        idempotency_key="order-17",
    )

    page = page_of(world, job)

    assert page.one("h1").text == "Add it up"
    assert "Twice a day" in page.text
    assert fact(page, "Id").startswith(str(job.pk))
    assert fact(page, "Queue") == "sums"
    assert fact(page, "Urgency") == "↑ high"
    assert fact(page, "Category") == "Database"
    assert fact(page, "Priority") == "0.600"
    assert fact(page, "Predicted") == "2.0 s by default: nothing like it has run"
    assert fact(page, "Attempts") == "0 of 7"
    assert fact(page, "Timeout") == "1 m 30 s"
    assert "by operator" in fact(page, "Created")
    assert fact(page, "Idempotency") == "order-17"
    assert fact(page, "Correlation") == job.correlation_id
    assert page.by_id("payload").raw == '{\n  "task": "demo.add",\n  "kwargs": {\n    "a": 1,\n    "b": 2\n  }\n}'


def test_what_is_predicted_has_a_range_and_a_chance_of_failure(world: World) -> None:
    make_history(world.org, [900.0] * 20, failed=True)

    page = page_of(world, make_job(world.org))

    assert " – " in fact(page, "Predicted")
    assert "by its last runs" in fact(page, "Predicted")
    assert re.match(r"(9\d|100) %", fact(page, "Chance of failure"))


def test_the_timeline_has_every_move_with_its_actor_and_wait(world: World) -> None:
    job = make_done(world.org, user=world.operator)

    page = page_of(world, job)

    steps = [step.text for step in page.one("ol", css="timeline").all("li")]
    assert [step.split()[0] for step in steps] == ["queued", "running", "done"]
    assert "operator" in steps[0]
    assert "after" not in steps[0]
    assert "after" in steps[1]
    assert "worker tester-1" in steps[1]
    assert "attempt 1" in steps[1]


def test_each_attempt_has_a_card_with_its_error_and_log(world: World) -> None:
    job = make_job(world.org, max_attempts=2)
    (first,) = claim_all()
    write(first, ("log", "begins"), ("stdout", "halfway"), ("stderr", "trouble"))
    finish_one(first, Outcome.ERROR, error_type="KeyError", error="Traceback (most recent call last):\nKeyError: 'x'")
    Job.objects.filter(pk=job.pk).update(run_at="2020-01-01T00:00Z")

    page = page_of(world, job)

    card = page.by_id("attempt-1")
    assert "error" in card.one("h3").text
    assert "on tester-1" in card.text
    assert "predicted 2.0 s" in card.text
    assert "Traceback (most recent call last):" in card.all("pre")[0].raw
    lines = card.one("pre", css="log").all("span")
    assert [(line.attributes["class"], line.raw.split(" ", 2)[2].strip()) for line in lines] == [
        ("log", "begins"),
        ("stdout", "halfway"),
        ("stderr", "trouble"),
    ]


def test_a_worker_that_came_back_too_late_is_told_of(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    Lease.objects.update(expires_at=Now() - timedelta(seconds=1))
    sql.run("rescue", batch=10, actor="watchdog")
    assert finish_one(claimed) is False
    note_fenced([claimed])

    (job,) = Job.objects.all()
    page = page_of(world, job)

    assert "too late" in page.one("section", id="attempt-1").text


def test_a_long_log_shows_its_end_and_links_to_all_of_it(world: World) -> None:
    make_job(world.org)
    (claimed,) = claim_all()
    write(claimed, *(("stdout", f"line {number}") for number in range(1, 251)))
    finish_one(claimed)
    client = browser(world.viewer)

    page = read(client.get(f"/jobs/{claimed.job_id}/"))
    whole = client.get(f"/jobs/{claimed.job_id}/log/1/")

    assert page.one("pre", css="log").all("span")[0].raw.endswith(" line 51\n")
    assert page.all("a", href=f"/jobs/{claimed.job_id}/log/1/")
    text = b"".join(whole.streaming_content).decode()  # type: ignore[attr-defined]
    assert whole["Content-Type"] == "text/plain; charset=utf-8"
    assert [line.split(" ", 2)[2] for line in text.splitlines()] == [f"line {number}" for number in range(1, 251)]


def test_a_running_job_shows_how_far_it_is(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    write(claimed, ("log", "working"), progress=0.25, progress_message="a quarter")

    page = page_of(world, job)

    assert page.one("progress").attributes["value"] == "0.25"
    assert "25 %" in page.text
    assert "a quarter" in page.text
    assert "working" in page.by_id("attempt-1").text


def test_a_job_that_ends_while_its_page_is_made_is_shown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(world.org)
    claim_all()
    gone = SimpleNamespace(objects=SimpleNamespace(filter=lambda **_: Lease.objects.none()))
    monkeypatch.setattr("jobs.pages.job.Lease", gone)

    assert "running" in page_of(world, job).text


def test_a_job_being_stopped_says_so(world: World) -> None:
    job = make_job(world.org)
    claim_all()
    cancel(job.pk, scope=scope(world))

    page = page_of(world, job)

    assert page.one("span", css="warning").text == "cancelling"
    assert page.all("details", id="cancel") == []


@pytest.mark.parametrize(
    ("result", "texts"),
    [
        (3, ["3"]),
        (False, ["false"]),
        (0, ["0"]),
        ({"status": 200, "body": "line one\nline two"}, ["200", "line one\nline two"]),
        ([1, {"a": None}], ["1", "null"]),
        ({"rows": [{"id": 2**53 + 1}]}, ["9007199254740993"]),
        ({"id": 123456789012345678901234567890}, ["123456789012345678901234567890"]),
    ],
)
def test_a_result_is_shown_as_it_is(world: World, result: Any, texts: list[str]) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    finish_one(claimed, result=result)
    client = browser(world.viewer)

    page = read(client.get(f"/jobs/{job.pk}/"))

    (section,) = [one for one in page.all("section") if one.attributes.get("aria-labelledby") == "result-title"]
    shown = [one for one in section.walk() if one.tag in {"dd", "pre", "code"}]
    assert [one.raw for one in shown if one.attributes.get("id") != "result-json"] == texts
    assert json.loads(page.one("pre", id="result-json").raw) == result
    assert client.get(f"/jobs/{job.pk}/result/").json() == result


def test_artefacts_are_downloads(world: World) -> None:
    job = make_done(world.org)
    name = default_storage.save("test/report", ContentFile(b"<script>alert(1)</script>"))
    file = Artefact.objects.create(
        org=world.org,
        job_id=job.pk,
        attempt=1,
        name="report.html",
        content_type="text/html",
        size_bytes=25,
        sha256=hashlib.sha256(b"<script>alert(1)</script>").hexdigest(),
        file=name,
    )
    client = browser(world.viewer)

    page = read(client.get(f"/jobs/{job.pk}/"))
    path = f"/jobs/{job.pk}/artefacts/{file.pk}/"
    response = client.get(path)

    assert page.one("a", href=path).text == "report.html"
    assert b"".join(response.streaming_content) == b"<script>alert(1)</script>"  # type: ignore[attr-defined]
    assert response["Content-Disposition"] == 'attachment; filename="report.html"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert browser(world.outsider).get(path).status_code == 404
    assert client.get(f"/jobs/{make_job(world.org).pk}/artefacts/{file.pk}/").status_code == 404
    default_storage.delete(name)
    assert client.get(path).status_code == 404


def test_a_replayed_job_keeps_its_past(world: World) -> None:
    job = make_dead_letter(world.org)
    replay(job.pk, scope=scope(world))
    (claimed,) = claim_all()
    finish_one(claimed)

    page = page_of(world, job)

    assert "replayed" in page.text
    assert page.by_id("attempt-1").text.startswith("Attempt 1 error")
    assert page.by_id("attempt-2").text.startswith("Attempt 2 done")
    assert [li.text.split()[0] for li in page.one("ol", css="timeline").all("li")] == [
        "queued", "running", "failed", "queued", "running", "done",
    ]  # fmt: skip


def test_the_command_of_a_job_is_safe_to_paste(world: World) -> None:
    job = make_job(world.org, title="it's $(id) `id`")

    command = page_of(world, job).by_id("curl").raw

    assert command.startswith("curl -X POST http://testserver/api/v1/jobs/ \\\n")
    assert "-H 'X-Org: acme'" in command
    assert '"title": "it\'"\'"\'s $(id) `id`"' in command


def test_a_viewer_sees_why_he_cannot_act(world: World) -> None:
    page = read(browser(world.viewer).get(f"/jobs/{make_job(world.org).pk}/"))

    button = next(one for one in page.all("button") if one.text == "Cancel")
    assert "disabled" in button.attributes
    assert "An operator can cancel" in page.by_id(button.attributes["aria-describedby"]).text
    assert page.all("form", action=f"/jobs/{Job.objects.get().pk}/cancellation/") == []


def test_a_page_costs_the_same_queries_however_much_has_happened(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    job = make_dead_letter(world.org, user=world.operator)
    for _ in range(5):
        replay(job.pk, scope=scope(world))
        (claimed,) = claim_all()
        write(claimed, *[("log", "line")] * 20)
        finish_one(claimed, Outcome.ERROR, permanent=True)
    client = browser(world.viewer)

    # one of them asks whether anybody was ever removed
    with django_assert_num_queries(10):
        client.get(f"/jobs/{job.pk}/")
