"""The leader's trainings: which is due, and the process of each, bounded and alone."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.conf import settings as deployment
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import LeaderTerm, Learning, ModelVersion
from jobs.processes.leader import fenced
from jobs.processes.trainer import NO_MEMORY, Running, Trainer, begin_training, why
from orgs.models import Org
from predictor.rules import FEWEST_RUNS, GROWTH
from tests.analytics.rows import make_term
from tests.concurrency import at_once
from tests.eventually import eventually
from tests.factories import make_org, make_runs
from tests.jobs.test_training import payload_decides
from tests.processes import database_url

pytestmark = pytest.mark.django_db(transaction=True)


def learning(org: Org | None = None, **fields: Any) -> Learning:
    org = org or make_org()
    return Learning.objects.create(org_id=org.pk, **fields)


# --- what is due ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "trained_runs", "due"),
    [(199, 0, False), (200, 0, True), (3_199, 3_000, False), (3_299, 3_000, False), (3_300, 3_000, True)],
)
def test_a_training_is_due_after_so_many_runs_and_a_share_more(runs: int, trained_runs: int, due: bool) -> None:
    learning(runs=runs, trained_runs=trained_runs)

    assert (begin_training() is not None) == due


def test_the_rule_is_that_of_the_simulations() -> None:
    assert (deployment.TRAIN_AFTER_RUNS, deployment.TRAIN_AFTER_PERCENT / 100) == (FEWEST_RUNS, GROWTH)


def test_of_many_runs_no_more_are_waited_for_than_a_share_of_those_that_are_read(settings: Settings) -> None:
    settings.TRAIN_MAX_RUNS = 5_000
    learning(runs=1_000_500, trained_runs=1_000_000)

    assert begin_training() is not None


def test_it_is_put_off_before_it_begins_and_longer_each_time(settings: Settings) -> None:
    settings.TRAIN_RETRY_SECONDS = 10_000
    org = make_org("acme")
    learning(org, runs=200)
    for failures, seconds in [(1, 10_000), (2, 20_000), (3, 21_600)]:
        found = begin_training()

        assert found is not None
        assert (found.slug, found.failures) == ("acme", failures)
        assert begin_training() is None
        about = Now() + timedelta(seconds=seconds - 1_000), Now() + timedelta(seconds=seconds)
        assert Learning.objects.filter(not_before__range=about).exists()
        Learning.objects.update(not_before=Now())


def test_one_that_drifts_goes_first_and_once(settings: Settings) -> None:
    settings.DRIFT_SECONDS = 100
    fields: dict[str, Any] = {"runs": 300, "trained_runs": 299, "trained_at": Now() - timedelta(days=1)}
    learning(runs=10_000)
    long_ago = learning(**fields, worse_since=Now() - timedelta(seconds=101))
    learning(**fields, worse_since=Now() - timedelta(seconds=90))

    first, second = begin_training(), begin_training()
    Learning.objects.filter(pk=long_ago.pk).update(trained_at=Now(), not_before=None)

    assert first is not None
    assert first.org_id == long_ago.pk
    assert second is not None
    assert begin_training() is None


def test_too_few_to_learn_from_are_left_alone(settings: Settings) -> None:
    settings.TRAIN_MIN_RUNS = 300
    learning(runs=299)

    assert begin_training() is None


def test_of_two_leaders_one_begins() -> None:
    learning(runs=200)

    assert sorted(found is None for found in at_once(begin_training, begin_training)) == [False, True]


# --- the process ----------------------------------------------------------------------------------------------------


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Org:
    """With enough runs to learn from, in a database that a process of its own finds."""
    monkeypatch.setenv("DATABASE_URL", database_url())
    org = make_org("acme")
    make_runs(org, payload_decides(300))
    learning(org, runs=300)
    return org


@pytest.fixture
def term() -> LeaderTerm:
    return make_term(0.0)


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    trainer = Trainer()
    yield trainer
    trainer.stop()


def begun(trainer: Trainer, term: LeaderTerm) -> Running:
    with fenced(term.epoch):
        trainer.look(term.epoch)
    assert trainer.running is not None
    return trainer.running


def ended(trainer: Trainer, term: LeaderTerm) -> Learning:
    """What is known of the organisation's learning when its training is over."""

    def over() -> bool:
        with fenced(term.epoch):
            trainer.look(term.epoch)
        return trainer.running is None

    eventually(over, within_seconds=120.0)
    return Learning.objects.get()


def trains(running: Running) -> bool:
    """Whether the process holds the lock of its organisation: it is in the middle of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [running.org_id])
        return bool(cursor.fetchone()[0])


def test_a_training_becomes_a_version_and_the_leader_goes_on_meanwhile(
    trainer: Trainer, term: LeaderTerm, org: Org
) -> None:
    running = begun(trainer, term)

    known = ended(trainer, term)

    assert (known.trained_runs, known.failures, known.not_before, known.error) == (300, 0, None, "")
    version = ModelVersion.objects.get()
    assert (version.org, version.source, version.active, version.promoted_by) == (org, "leader", True, "leader")
    assert not psutil.pid_exists(running.aside.process.pid)


def test_it_is_one_at_a_time(trainer: Trainer, term: LeaderTerm, org: Org) -> None:
    other = make_org()
    learning(other, runs=200)

    first = begun(trainer, term)
    second = begun(trainer, term)

    assert first is second
    # the one that was trained longest ago, or never
    assert Learning.objects.get(org_id=other.pk).failures == 0


def test_a_training_that_dies_leaves_nothing_and_is_put_off(trainer: Trainer, term: LeaderTerm, org: Org) -> None:
    running = begun(trainer, term)
    eventually(lambda: trains(running), within_seconds=60.0)

    os.kill(running.aside.process.pid, signal.SIGKILL)
    known = ended(trainer, term)

    assert (known.error, known.failures, known.trained_at) == ("It was ended by SIGKILL.", 1, None)
    assert known.not_before is not None
    assert not ModelVersion.objects.exists()


def test_memory_is_refused_to_it_and_not_to_the_leader(
    trainer: Trainer, term: LeaderTerm, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    # about what it has when it begins
    monkeypatch.setenv("SMARTQUEUE_TRAIN_MEMORY_MAX_BYTES", "205000000")
    begun(trainer, term)

    known = ended(trainer, term)

    # refused as early as at an import, or by a library that falls over instead of saying so
    assert known.error.startswith(("It wanted more memory than ", "It was ended by SIG", "It ended with status 1;"))
    assert (known.failures, known.trained_at, trainer.running) == (1, None, None)
    assert not ModelVersion.objects.exists()


def test_what_became_of_it_is_said_in_words(settings: Settings) -> None:
    settings.TRAIN_MEMORY_MAX_BYTES, settings.TRAIN_MAX_SECONDS, settings.TRAIN_GRACE_SECONDS = 500_000_000, 60, 5

    assert why(NO_MEMORY) == "It wanted more memory than 500,000,000 bytes."
    assert why(None) == "It took longer than 65 s and was ended."
    assert why(-signal.SIGKILL) == "It was ended by SIGKILL."
    assert why(1).startswith("It ended with status 1;")


def test_one_that_takes_too_long_is_ended(trainer: Trainer, term: LeaderTerm, org: Org, settings: Settings) -> None:
    settings.TRAIN_MAX_SECONDS, settings.TRAIN_GRACE_SECONDS = 0.1, 0.1
    running = begun(trainer, term)

    known = ended(trainer, term)

    assert known.error == "It took longer than 0.2 s and was ended."
    assert not psutil.pid_exists(running.aside.process.pid)
    assert not ModelVersion.objects.exists()


def test_it_ends_with_the_term(trainer: Trainer, term: LeaderTerm, org: Org) -> None:
    running = begun(trainer, term)
    LeaderTerm.objects.update(ended_at=Now())
    following = make_term(0.0)

    with fenced(following.epoch):
        trainer.look(following.epoch)

    assert not psutil.pid_exists(running.aside.process.pid)
    assert trainer.running is None


def test_one_that_outlives_its_term_stores_nothing(trainer: Trainer, term: LeaderTerm, org: Org) -> None:
    running = begun(trainer, term)

    LeaderTerm.objects.update(ended_at=Now())

    assert running.aside.process.wait(60) == 1
    assert not ModelVersion.objects.exists()
    assert Learning.objects.get().trained_at is None


def test_it_ends_with_the_process_that_began_it(org: Org, term: LeaderTerm) -> None:
    """Its parent is not the one it was told of: as when that ended before it could ask."""
    trainer = Trainer()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("jobs.processes.aside.os.getpid", lambda: 1)
        running = begun(trainer, term)

    assert running.aside.process.wait(60) == 1
    assert not ModelVersion.objects.exists()
