"""Sending dead letters back."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from jobs.errors import IllegalMove, InvalidJob, InvalidPayload, JobNotFound
from jobs.models import Attempt, Job, Ready
from jobs.queue.control import pause, replay, replay_many
from jobs.states import Outcome
from orgs.models import AuditEntry
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import (
    claim_all,
    finish_one,
    make_dead_letter,
    make_done,
    make_job,
    make_org,
)
from tests.jobs.queue.acts import own_scope, scope_of
from tests.jobs.queue.whole import assert_whole, path_of

pytestmark = pytest.mark.django_db


def only_entry(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


def test_a_dead_letter_gets_a_new_life_with_its_lineage(world: World) -> None:
    job = make_dead_letter(world.org, max_attempts=2, name="nightly")
    correlation_id = job.correlation_id

    replay(job.pk, scope=scope_of(world))

    job.refresh_from_db()
    assert (job.status, job.life, job.attempt, job.attempt_limit) == ("queued", 2, 1, 3)
    assert (job.correlation_id, job.finished_at, job.error) == (correlation_id, None, "broken")
    (claimed,) = claim_all()
    assert (claimed.attempt, claimed.correlation_id) == (2, correlation_id)
    finish_one(claimed, Outcome.ERROR)
    assert path_of(job.pk)[-1] == "scheduled"
    assert list(Attempt.objects.values_list("number", flat=True)) == [1, 2]
    assert_whole()


def test_a_replay_can_be_repeated(world: World) -> None:
    job = make_dead_letter(world.org, max_attempts=1)
    for life in (2, 3, 4):
        replay(job.pk, scope=scope_of(world))
        (claimed,) = claim_all()
        assert claimed.attempt == life
        finish_one(claimed, Outcome.ERROR)

    job.refresh_from_db()
    assert (job.status, job.life, job.attempt) == ("failed", 4, 4)
    assert AuditEntry.objects.filter(action="job.replay").count() == 3
    assert_whole()


def test_an_edited_payload_is_what_runs_and_both_are_in_the_trail(world: World) -> None:
    job = make_dead_letter(world.org)
    old, new = job.payload, {"task": "demo.add", "kwargs": {"a": 10, "b": 20}}

    replay(job.pk, scope=scope_of(world), payload=new)

    job.refresh_from_db()
    assert (job.payload, job.payload_bytes) == (new, 44)
    assert claim_all()[0].payload == new
    assert only_entry("job.replay").detail == {
        "jobs": [str(job.pk)],
        "old": {"payload": old},
        "new": {"payload": new},
    }


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({"task": "no.such"}, InvalidPayload),
        ({"task": "demo.add", "kwargs": {"a": "x", "b": 1}}, InvalidPayload),
        ({"task": "demo.word_count", "kwargs": {"text": "x" * 20_000}}, InvalidJob),
    ],
)
def test_a_bad_edited_payload_is_refused_and_nothing_changes(
    world: World, payload: dict[str, Any], error: type[Exception]
) -> None:
    job = make_dead_letter(world.org)

    with pytest.raises(error):
        replay(job.pk, scope=scope_of(world), payload=payload)

    assert path_of(job.pk)[-1] == "failed"
    assert not AuditEntry.objects.filter(action="job.replay").exists()


@pytest.mark.parametrize("make", [make_job, make_done])
def test_only_a_dead_letter_is_replayed(world: World, make: Callable[..., Job]) -> None:
    job = make(world.org)

    with pytest.raises(IllegalMove):
        replay(job.pk, scope=scope_of(world))

    assert_whole()


def test_a_dead_letter_of_another_organisation_does_not_exist(world: World) -> None:
    job = make_dead_letter(world.rival)

    with pytest.raises(JobNotFound):
        replay(job.pk, scope=scope_of(world))
    assert replay_many([job.pk], scope=scope_of(world)).ids == []

    assert path_of(job.pk)[-1] == "failed"


def test_many_are_replayed_those_that_are_dead_letters_of_the_organisation(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(3)]
    others = [make_job(world.org, delay_seconds=60), make_dead_letter(world.rival), make_done(world.org)]

    assert len(replay_many([job.pk for job in [*dead, *others]] + [uuid4()], scope=scope_of(world)).ids) == 3

    assert {one.job_id for one in claim_all()} == {job.pk for job in dead}
    entry = only_entry("job.replay")
    assert (entry.target, sorted(entry.detail["jobs"])) == ("3 jobs", sorted(str(job.pk) for job in dead))
    assert_whole()


def test_a_replay_into_a_paused_queue_is_held(world: World) -> None:
    job = make_dead_letter(world.org)
    pause("default", scope=scope_of(world))

    replay(job.pk, scope=scope_of(world))

    assert Ready.objects.get().held


@pytest.mark.django_db(transaction=True)
def test_a_replay_from_many_at_once_is_one_new_life() -> None:
    org = make_org()
    job, scope = make_dead_letter(org), own_scope(org)

    outcomes = at_once(*[lambda: replay(job.pk, scope=scope)] * 8)

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, IllegalMove) for outcome in outcomes) == 7
    job.refresh_from_db()
    assert (job.life, Ready.objects.count()) == (2, 1)
    assert AuditEntry.objects.filter(action="job.replay").count() == 1
    assert_whole()
