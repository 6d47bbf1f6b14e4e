"""Secrets in an attempt: looked up, used, hidden in whatever it tells, and kept nowhere."""

import logging
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from jobs import masking
from jobs.handlers import registry
from jobs.handlers.base import Answer, Context, Done, Fail, Retry
from jobs.masking import MASK
from jobs.models import Artefact, Job, LogLine
from jobs.processes.reporting import AttemptReporter
from jobs.queue.finish import Ended
from jobs.states import Outcome
from orgs.models import Secret
from orgs.scope import find_scope
from orgs.vault import put, remove
from tests.conftest import World
from tests.factories import make_job
from tests.jobs.handlers.fakes import make_attempt, make_claimed
from tests.jobs.processes.stepping import MakeWorker, step_until

pytestmark = pytest.mark.django_db(transaction=True)

VALUE = "s3cr3t/of+the=others"


@pytest.fixture(autouse=True)
def token(world: World) -> None:
    put("token", VALUE, scope=find_scope(world.owner, "acme"))


@pytest.fixture(autouse=True)
def nothing_stays_active() -> Iterator[None]:
    yield
    assert masking._active == ()


def ended(world: World, payload: dict[str, Any], type: str = "python", **fields: Any) -> Ended:
    claimed = make_claimed(type, payload, org_id=world.org.pk, has_references=True, **fields)
    return make_attempt(claimed).run()


def task(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"task": name, "kwargs": kwargs}


def test_the_handler_has_the_value_and_the_job_does_not(world: World) -> None:
    payload = task("tests.named_value", value="a {{secret:token}}")
    claimed = make_claimed("python", payload, org_id=world.org.pk, has_references=True)
    attempt = make_attempt(claimed)

    end = attempt.run()

    assert end.outcome is Outcome.DONE
    assert end.result == {"length": len(f"a {VALUE}"), "said": f"a {MASK}", f"a {MASK}": 1}
    assert end.claimed.payload is payload
    assert payload["kwargs"]["value"] == "a {{secret:token}}"


def test_nothing_is_looked_up_without_a_reference(world: World) -> None:
    claimed = make_claimed("python", task("tests.fail_with", message="{{secret:token}}"), org_id=world.org.pk)
    with patch("jobs.processes.resolving.values_of") as looked_up:
        end = make_attempt(claimed).run()
    assert not looked_up.called
    assert "{{secret:token}}" in end.error


@pytest.mark.parametrize("how", ["gone", "unreadable"])
def test_without_its_secret_it_fails_for_good_and_names_it(world: World, settings: Any, how: str) -> None:
    if how == "gone":
        remove("token", scope=find_scope(world.owner, "acme"))
    else:
        settings.ENCRYPTION_KEYS = {"other": b"k" * 32}

    end = ended(world, task("tests.fail_with", message="{{secret:token}}"))

    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, "PermanentFailure", True)
    assert "'token'" in end.error
    assert VALUE not in end.error


def test_a_database_that_is_away_is_no_reason_to_give_up(world: World) -> None:
    with patch("jobs.processes.resolving.values_of", side_effect=ConnectionError("away")):
        end = ended(world, task("tests.fail_with", message="{{secret:token}}"))
    assert (end.error_type, end.permanent) == ("ConnectionError", False)


@pytest.mark.parametrize(
    ("value", "payload", "pointer"),
    [
        ("two\nlines", {"url": "https://example.com/", "headers": {"X-A": "{{secret:token}}"}}, "/headers/X-A"),
        ("not-latin-€€", {"url": "https://example.com/", "headers": {"X-A": "{{secret:token}}"}}, "/headers/X-A"),
        ("with blanks in it", {"url": "https://example.com/?a={{secret:token}}"}, "/url"),
        ("x" * 5_000, {"url": "https://example.com/", "headers": {"X-A": "{{secret:token}}"}}, "/headers/X-A"),
    ],
)
def test_what_the_value_breaks_is_told_without_it(
    world: World, value: str, payload: dict[str, Any], pointer: str
) -> None:
    put("token", value, scope=find_scope(world.owner, "acme"))

    end = ended(world, payload, "http")

    assert (end.error_type, end.permanent) == ("InvalidPayload", True)
    assert end.error.startswith(f"{pointer}: ")
    assert value not in end.error


def test_one_that_came_in_before_it_could_be_checked_fails_for_good(world: World) -> None:
    for payload, pointer in (
        (task("tests.fail_with", message="{{ secret:token }} {{secret:token}}"), "/kwargs/message"),
        ({"url": "https://example.com/", "method": "{{secret:token}}"}, "/method"),
    ):
        end = ended(world, payload, "http" if "url" in payload else "python")
        assert (end.error_type, end.permanent) == ("InvalidPayload", True)
        assert end.error.startswith(pointer)


def test_arguments_of_django_tasks_are_text(world: World) -> None:
    """They may be what strangers have typed."""
    handler = registry.get("django-task")
    call = {"task": "t", "args": ["{{secret:token}}"], "kwargs": {}, "backend": "default", "priority": 0}
    with patch.object(type(handler), "perform", lambda self, context: Done(context.payload["args"][0])), \
         patch.object(type(handler), "is_async", return_value=False), \
         patch.object(type(handler), "is_transactional", return_value=False):  # fmt: skip
        assert ended(world, call, "django-task").result == "{{secret:token}}"


@pytest.mark.parametrize(
    "answer",
    [
        lambda value: Done({"body": f"you said {value}", value: [value, {"deep": value}]}),
        lambda value: Retry(f"500 {value}", None, f"Type{value}", {"body": value}),
        lambda value: Fail(f"404 {value}", f"Type{value}", {"body": value}),
    ],
)
def test_every_answer_is_masked(world: World, answer: Any) -> None:
    def perform(self: Any, context: Context) -> Answer:
        found: Answer = answer(context.payload["kwargs"]["message"])
        return found

    handler = registry.get("python")
    with patch.object(type(handler), "perform", perform):
        end = ended(world, task("tests.fail_with", message="{{secret:token}}"))

    assert VALUE not in repr(end)
    assert MASK in repr(end)


def test_lines_progress_and_names_of_files_are_masked(world: World, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    put("plain", "plainvalue", scope=find_scope(world.owner, "acme"))
    reporter = AttemptReporter(make_claimed("python", {}, org_id=world.org.pk))
    reporter.mask = masking.Mask([VALUE, "plainvalue"])

    reporter.log("stdout", f"one {VALUE}\ntwo {VALUE[:10]}\n{VALUE[10:]} three")
    reporter.progress(0.5, f"at {VALUE}" + "x" * 300)

    lines, progress = reporter.take()
    assert [line[2] for line in lines] == [f"one {MASK}", f"two {MASK}", f"{MASK} three"]
    assert progress is not None
    assert progress[1].startswith(f"at {MASK}x")
    with patch.object(Artefact, "save"), patch("jobs.processes.reporting.Lease"):
        kept: list[Artefact] = []
        with patch(
            "jobs.processes.reporting.Artefact",
            side_effect=lambda **fields: kept.append(Artefact(**fields)) or kept[-1],
        ):
            reporter.artefact("of-plainvalue.txt", b"x", "text/plainvalue")
    assert (kept[0].name, kept[0].content_type) == ("of-xxx.txt", "text/xxx")


def test_the_workers_own_lines_do_not_show_it_while_it_runs(world: World, capfd: Any, settings: Any) -> None:
    """Whichever thread writes them, with their tracebacks."""
    script = logging.getLogger("tests.leak")

    def perform(self: Any, context: Context) -> Answer:
        value = context.payload["kwargs"]["message"]
        try:
            raise ValueError(f"bad {value}")
        except ValueError:
            script.exception("leaking %s", value, extra={"value": value, "list": [value]})
        return Done()

    for handler in logging.getLogger().handlers:
        if type(handler) is logging.StreamHandler:
            handler.setStream(sys.stderr)
    with patch.object(type(registry.get("python")), "perform", perform):
        ended(world, task("tests.fail_with", message="{{secret:token}}"))
    err = capfd.readouterr().err
    assert "leaking" in err
    assert MASK in err or "\\u2022" in err
    assert VALUE not in err


def test_values_under_telling_names_are_masked_too(world: World) -> None:
    put("token", "another value", scope=find_scope(world.owner, "acme"))
    claimed = make_claimed("python", task("tests.named_value", value="x", password=VALUE), org_id=world.org.pk)
    end = make_attempt(claimed).run()
    assert VALUE not in repr(end.result) + end.error
    assert end.outcome is Outcome.DONE
    assert end.result["password"] == MASK


@pytest.mark.parametrize("kind", ["named_value", "named_value_async", "named_value_transactional"])
def test_a_worker_uses_it_wherever_the_handler_runs(make_worker: MakeWorker, world: World, kind: str) -> None:
    job = make_job(world.org, payload=task(f"tests.{kind}", value="{{secret:token}}"))
    worker = make_worker(slots=1)

    step_until(worker, lambda: Job.objects.filter(pk=job.pk, status="done").exists())

    job.refresh_from_db()
    assert job.result == {"length": len(VALUE), "said": MASK, MASK: 1}
    assert job.payload["kwargs"] == {"value": "{{secret:token}}"}
    assert [line.text for line in LogLine.objects.filter(job_id=job.pk)] == [f"log {MASK}"]
    assert Secret.objects.get(name="token").last_used_at is not None
