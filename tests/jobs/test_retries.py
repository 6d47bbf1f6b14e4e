"""How often a job is tried, and when again: by the job, by its type, by default."""

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from jobs import retries
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_job


@pytest.fixture(autouse=True)
def plain(settings: Settings) -> None:
    settings.RETRY_JITTER_SECONDS = 0
    settings.RETRY_POLICIES = {"email": {"max_attempts": 7, "base_seconds": 30.0, "cap_seconds": 100.0}}


def test_what_nobody_says_is_the_default() -> None:
    assert retries.max_attempts("http") == 4
    assert [retries.delay_seconds("http", None, failures) for failures in (1, 2, 3, 9)] == [2, 4, 8, 60]


def test_a_type_has_its_own() -> None:
    assert retries.max_attempts("email") == 7
    assert [retries.delay_seconds("email", None, failures) for failures in (1, 2, 3)] == [30, 60, 100]


def test_a_job_says_more_than_its_type() -> None:
    assert retries.delay_seconds("email", {"base_seconds": 5.0}, 2) == 10
    assert retries.delay_seconds("email", {"cap_seconds": 3.0}, 1) == 3


@given(base=st.floats(0.1, 1e6), cap=st.floats(0.1, 1e6), failures=st.integers(0, 10_000))
def test_it_never_waits_longer_than_its_cap(base: float, cap: float, failures: int) -> None:
    assert 0 <= retries.delay_seconds("http", {"base_seconds": base, "cap_seconds": cap}, failures) <= cap


@pytest.mark.parametrize(
    "own", [{"base_seconds": 0}, {"cap_seconds": -1}, {"base_seconds": 1e12}, {"tries": 3}, {"base_seconds": "2"}]
)
def test_what_makes_no_sense_is_refused(own: dict[str, object]) -> None:
    assert len(retries.faults(own)) == 1


@pytest.mark.django_db(transaction=True)
def test_both_count_for_a_job_that_fails(world: World, settings: Settings) -> None:
    settings.RETRY_POLICIES = {"python": {"max_attempts": 9, "base_seconds": 200.0, "cap_seconds": 1000.0}}
    plain, own = make_job(world.org), make_job(world.org, retry={"base_seconds": 300.0}, max_attempts=2)

    for claimed in claim_all():
        assert finish_one(claimed, Outcome.ERROR)

    assert (plain.max_attempts, own.max_attempts) == (9, 2)
    for job, seconds in ((plain, 200), (own, 300)):
        job.refresh_from_db()
        assert job.run_at is not None
        assert job.finished_at is None
        assert seconds - 5 < (job.run_at - timezone.now()).total_seconds() <= seconds


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_for_and_shown_by_rest(world: World) -> None:
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    sent = api(world.operator).post("/api/v1/jobs/", {**job, "retry": {"base_seconds": 0.5, "cap_seconds": 20}})
    wrong = api(world.operator).post("/api/v1/jobs/", {**job, "retry": {"base_seconds": -1, "tries": 3}})

    assert (sent.status_code, sent.json()["retry"]) == (201, {"base_seconds": 0.5, "cap_seconds": 20})
    assert wrong.status_code == 400
    assert {error["pointer"] for error in wrong.json()["errors"]} == {"/retry/base_seconds", "/retry/tries"}
