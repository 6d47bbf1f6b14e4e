"""What becomes of a handler's answer: Attempt.run, and the end that is written."""

from typing import Any

import pytest

from jobs.handlers.base import StopReason
from jobs.queue.finish import Ended, finish
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import claim_all, make_job
from tests.jobs.handlers.fakes import make_attempt, make_claimed
from tests.jobs.handlers.server import Server
from tests.tasks import BAD


def ended(type: str, payload: dict[str, Any], **fields: Any) -> Ended:
    return make_attempt(make_claimed(type, payload, **fields)).run()


def task(name: str, **kwargs: Any) -> Ended:
    return ended("python", {"task": name, "kwargs": kwargs})


def test_an_answer_is_done_with_its_result() -> None:
    end = task("tests.receipt")
    assert end.outcome is Outcome.DONE
    assert end.result == {"total": "9.90", "at": "2026-01-02T03:04:05+00:00"}


@pytest.mark.parametrize("kind", BAD)
def test_a_result_that_cannot_be_kept_ends_the_attempt_for_good(kind: str) -> None:
    end = task("tests.bad_result", kind=kind)

    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, "BadResult", True)
    assert end.error.startswith("The result ")


def test_an_exception_is_retried_and_shows_where_it_came_from() -> None:
    end = task("tests.fail_with", message="no luck")

    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, "ValueError", False)
    assert end.error.startswith("Traceback")
    assert end.error.endswith("ValueError: no luck\n")
    assert "tests/tasks.py" in end.error
    assert "executor.py" not in end.error


def test_giving_up_is_not_retried() -> None:
    end = task("tests.give_up", reason="no such customer")
    assert (end.error_type, end.error, end.permanent) == ("PermanentFailure", "no such customer", True)


def test_a_task_that_ends_the_process_ends_only_its_attempt() -> None:
    end = task("tests.leave")
    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, "SystemExit", False)


@pytest.mark.parametrize("message", ["a\0b", "\ud800", "x" * 100_000])
def test_what_an_error_says_can_always_be_kept(message: str) -> None:
    end = task("tests.fail_with", message=message)
    end.error.encode()
    assert "\0" not in end.error
    assert len(end.error) <= 8_000


def test_a_task_that_only_says_it_was_stopped_has_failed() -> None:
    end = task("tests.stop_unasked")
    assert (end.outcome, end.error_type) == (Outcome.ERROR, "Stopped")


def test_a_task_that_is_gone_is_not_retried() -> None:
    end = task("tests.gone")
    assert (end.error_type, end.permanent) == ("InvalidPayload", True)
    assert end.error.startswith("/task: There is no task 'tests.gone'")


def test_a_type_that_is_gone_is_not_retried() -> None:
    end = ended("fax", {})
    assert (end.error_type, end.permanent) == ("UnknownJobType", True)


def test_a_program_that_was_taken_off_the_list_is_not_run() -> None:
    end = ended("shell", {"argv": ["/bin/echo", "hi"]}, org_settings={"shell_programs": []})
    assert (end.error_type, end.error, end.permanent) == (
        *("InvalidPayload", "/argv/0: This organisation may not run programs.", True),
    )


def test_an_exit_code_is_retried_with_its_output() -> None:
    end = ended("shell", {"argv": ["/bin/false"]})
    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, "ExitStatus", False)
    assert end.result["exit_code"] == 1


def test_a_servers_wish_to_wait_is_passed_on(server: Server) -> None:
    end = ended("http", {"url": server.on("/", 503, headers={"Retry-After": "17"})})
    assert (end.error_type, end.retry_seconds, end.permanent) == ("HttpStatus", 17, False)
    assert end.result["status"] == 503


def test_a_failure_for_good_is_not_retried(server: Server) -> None:
    end = ended("http", {"url": server.on("/", 404)})
    assert (end.error_type, end.permanent, end.result["status"]) == ("HttpStatus", True, 404)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (StopReason.CANCELLED, Outcome.CANCELLED),
        (StopReason.TIMEOUT, Outcome.TIMEOUT),
        (StopReason.DRAIN, Outcome.RELEASED),
        (StopReason.LEASE_LOST, Outcome.RELEASED),
    ],
)
@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("python", {"task": "demo.wait", "kwargs": {"seconds": 60.0}}),
        ("shell", {"argv": ["/bin/sleep", "60"]}),
        ("http", {"url": "http://example.com/"}),
    ],
)
def test_an_attempt_that_was_stopped_ends_as_it_was_told(
    type: str, payload: dict[str, Any], reason: StopReason, outcome: Outcome
) -> None:
    attempt = make_attempt(make_claimed(type, payload))
    attempt.context.stop(reason)

    assert attempt.run().outcome is outcome


@pytest.mark.django_db
def test_bad_results_end_their_jobs_and_no_others(world: World) -> None:
    jobs = [make_job(world.org, payload={"task": "tests.bad_result", "kwargs": {"kind": kind}}) for kind in BAD]
    good = make_job(world.org)

    settled = finish([make_attempt(claimed).run() for claimed in claim_all()], worker_name="tester-1")

    assert len(settled) == len(BAD) + 1
    for job in jobs:
        job.refresh_from_db()
        assert (job.status, job.attempt) == ("failed", 1)
    good.refresh_from_db()
    assert (good.status, good.result) == ("done", 3)


@pytest.mark.django_db
@pytest.mark.parametrize("message", ["a\0b", "\ud800 and more"])
def test_any_error_can_be_written(world: World, message: str) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    attempt = make_attempt(claimed)

    (settled,) = finish([attempt.failed(ValueError(message))], worker_name="tester-1")

    assert (settled.job_id, settled.to_status) == (job.pk, "scheduled")
