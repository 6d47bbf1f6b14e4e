"""manage.py seed_demo: made once, exact in its counts, and plainly the past."""

import json
from collections import Counter
from datetime import timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings

from analytics import queries
from jobs.handlers import registry
from jobs.models import Attempt, DepthSample, Job, ModelVersion, Queue, RuntimeMemory, Transition
from jobs.states import Status
from orgs import tokens
from orgs.models import AuditEntry, Membership, Org, User
from smartqueue.demo import seed
from smartqueue.welcome import demo_logins
from tests.factories import PASSWORD, make_job, make_org, make_user
from tests.jobs.test_memories import assert_remembered

pytestmark = pytest.mark.django_db


@pytest.fixture
def state(tmp_path: Path, settings: Settings) -> Path:
    settings.STATE_DIR = tmp_path / "state"
    return tmp_path / "state"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter week, for what does not depend on its length."""
    monkeypatch.setattr(seed, "ACME_JOBS", 120)
    monkeypatch.setattr(seed, "TRAIN_SECONDS", 0.1)


def seed_demo() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue().strip()


def rows() -> list[int]:
    models = (Org, User, Membership, Job, Attempt, Transition, RuntimeMemory, DepthSample, Queue, ModelVersion)
    return [model.objects.count() for model in models]  # type: ignore[attr-defined]


def test_a_week_of_two_thousand_jobs_is_counted_exactly_and_trains_a_model(state: Path) -> None:
    seed_demo()

    for org in Org.objects.all():
        stored = Counter(Job.objects.for_org(org).values_list("status", flat=True))
        known = queries.counts(org)
        assert known["by_status"] == {status: stored[status] for status in Status}
        assert known["total"] == sum(stored.values())
    acme = Org.objects.get(slug="acme")
    assert 1_950 <= Job.objects.for_org(acme).count() <= 2_100
    assert Job.objects.for_org(acme).dead_letters().count() == 12
    model = ModelVersion.objects.get(org=acme)
    assert model.active, (model.reason, model.metrics)
    assert model.metrics["malr"] < model.metrics["ewma"]["malr"]
    assert make_job(acme).prediction_source == "model"


@pytest.mark.usefixtures("small")
def test_a_second_run_changes_nothing(state: Path) -> None:
    seed_demo()
    before, logins = rows(), (state / "demo.json").read_bytes()

    said = seed_demo()

    assert said == "The demo is there already."
    assert rows() == before
    assert (state / "demo.json").read_bytes() == logins


@pytest.mark.usefixtures("small")
def test_the_logins_are_listed_for_us_alone_and_work(state: Path) -> None:
    seed_demo()

    assert (state / "demo.json").stat().st_mode & 0o777 == 0o600
    assert [(one.username, one.role, one.org) for one in demo_logins(state)] == [
        ("ada", "org_admin", "acme"),
        ("otto", "operator", "acme"),
        ("vera", "viewer", "acme"),
        ("gwen", "org_admin", "globex"),
        ("root", "platform admin", "every organisation"),
    ]
    for one in demo_logins(state):
        user = User.objects.get(username=one.username)
        assert user.check_password(one.password)
        member = Membership.objects.filter(user=user).first()
        assert (member.role, member.org.slug) == (one.role, one.org) if member else user.is_superuser
        user.full_clean()


@pytest.mark.usefixtures("small")
def test_a_lost_list_is_made_again_with_new_passwords(state: Path) -> None:
    seed_demo()
    old = {one.username: one.password for one in demo_logins(state)}
    token = str(tokens.give_tokens(User.objects.get(username="ada")))
    (state / "demo.json").unlink()
    before = rows()

    said = seed_demo()

    assert said == "The demo is there already; new passwords for ada, otto, vera, gwen, root."
    assert rows() == before
    for one in demo_logins(state):
        user = User.objects.get(username=one.username)
        assert user.check_password(one.password)
        assert not user.check_password(old[one.username])
    with pytest.raises(tokens.BadRefreshToken):
        tokens.rotate(token)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["cut", "one missing"])
def test_only_what_the_list_has_lost_gets_a_new_password(state: Path, damage: str) -> None:
    seed_demo()
    whole = json.loads((state / "demo.json").read_text())
    left = [] if damage == "cut" else whole[1:]
    (state / "demo.json").write_text("[{" if damage == "cut" else json.dumps(left))

    seed_demo()

    now = {one.username: one.password for one in demo_logins(state)}
    assert len(now) == 5
    for one in whole:
        assert (now[one["username"]] == one["password"]) == (one in left)


@pytest.mark.parametrize("name", ["ada", "root"])
def test_a_person_of_that_name_keeps_his_account_and_no_demo_is_made(state: Path, name: str) -> None:
    make_user(name)

    said = seed_demo()

    assert said == "No demo was made: its names belong to others here."
    assert User.objects.get(username=name).check_password(PASSWORD)
    assert not Org.objects.exists()
    assert not (state / "demo.json").exists()


def test_an_organisation_of_that_name_is_left_alone(state: Path) -> None:
    make_org("acme")

    said = seed_demo()

    assert said == "No demo was made: its names belong to others here."
    assert not User.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.usefixtures("small")
def test_every_payload_is_one_that_could_be_submitted(state: Path, settings: Settings) -> None:
    settings.HTTP_ALLOW_HOSTS = ["127.0.0.1:8000"]  # as in development
    seed_demo()

    for job in Job.objects.select_related("org"):
        registry.get(job.type).check(job.payload, job.org.all_job_settings)
        assert job.payload_bytes <= 10_000


@pytest.mark.usefixtures("small")
def test_the_history_says_what_it_is_and_nothing_of_it_has_just_run(state: Path) -> None:
    seed_demo()

    hour_ago = timezone.now() - timedelta(hours=1)
    week_ago = timezone.now() - timedelta(days=8, hours=1)
    assert set(Job.objects.values_list("description", flat=True)) == {
        "Part of the demo's history: seed_demo wrote this job, it never ran here."
    }
    assert set(Attempt.objects.values_list("worker_name", flat=True)) == {"demo-history"}
    assert set(Transition.objects.values_list("actor", flat=True)) == {"demo-history"}
    assert not Job.objects.filter(finished_at__gt=hour_ago).exists()
    assert not Job.objects.filter(created_at__lt=week_ago).exists()
    assert AuditEntry.objects.filter(action="demo.seed").count() == 2


@pytest.mark.usefixtures("small")
def test_moves_attempts_and_jobs_tell_one_story(state: Path) -> None:
    seed_demo()

    moves: dict[object, list[Transition]] = {}
    for move in Transition.objects.order_by("id"):
        moves.setdefault(move.job_id, []).append(move)
    tries: dict[object, list[Attempt]] = {}
    for attempt in Attempt.objects.order_by("number"):
        tries.setdefault(attempt.job_id, []).append(attempt)
    for job in Job.objects.order_by("id"):
        story, tried = moves[job.pk], tries.get(job.pk, [])
        assert story[0].from_status is None
        assert all(before.to_status == after.from_status for before, after in pairwise(story))
        assert all(before.at <= after.at for before, after in pairwise(story))
        assert (story[-1].to_status, story[-1].at) == (job.status, job.finished_at)
        assert [one.number for one in tried] == list(range(1, job.attempt + 1))
        assert [one.started_at for one in tried] == [move.at for move in story if move.to_status == "running"]
        assert [one.ended_at for one in tried] == [move.at for move in story if move.from_status == "running"]
        assert all(one.outcome != "done" for one in tried[:-1])
        assert job.status == "cancelled" or (tried[-1].outcome == "done") == (job.status == "done")


@pytest.mark.usefixtures("small")
def test_what_is_remembered_of_each_key_is_what_the_attempts_say(state: Path) -> None:
    seed_demo()

    for org in Org.objects.all():
        assert_remembered(org)


@pytest.mark.usefixtures("small")
def test_the_depth_samples_count_what_waited_and_ran_at_their_moments(state: Path) -> None:
    seed_demo()

    acme = Org.objects.get(slug="acme")
    samples = list(DepthSample.objects.filter(org_id=acme.pk))
    assert max(sample.queued for sample in samples) > 0
    for sample in Random(1).sample(samples, 20):
        before = Transition.objects.filter(org_id=acme.pk, queue=sample.queue, at__lte=sample.at).order_by("id")
        last = dict(before.values_list("job_id", "to_status"))
        found = Counter(last.values())
        assert (sample.queued, sample.running, sample.scheduled) == (
            found["queued"],
            found["running"],
            found["scheduled"],
        )
