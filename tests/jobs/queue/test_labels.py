"""What people say of jobs and of their categories: who may, what moves, and what is learned from it."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from jobs.categories import categories_of
from jobs.errors import InvalidClassification, JobNotFound
from jobs.models import Job, Label, Schedule, ToClassify
from jobs.queue.classify import classify_some
from jobs.queue.labels import MOST_CATEGORIES, correct, set_categories
from orgs.models import AuditEntry, Org, User
from orgs.scope import Scope, find_scope
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import claim_all, make_dead_letter, make_job, make_member, make_org
from tests.jobs.classifiers import answering
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db

TITLE = "Database timeout: primary pool exhausted"
OWN = ["Billing", "Reports", "Servers"]


def scope_of(world: World, person: User | None = None) -> Scope:
    return find_scope(person or world.operator, None)


def now(job: Job) -> tuple[str, str]:
    job.refresh_from_db()
    return job.category, job.urgency


def test_a_correction_is_kept_moves_the_job_and_is_a_label(world: World) -> None:
    earlier, job = make_job(world.org), make_job(world.org, title=TITLE, description="since noon")
    classify_some()

    correct(job.pk, scope=scope_of(world), category="Network", urgency="low")

    assert now(job) == ("Network", "low")
    assert job.classification is not None
    assert (job.classification["source"], job.classification["confidence"]) == ("user", 1.0)
    label = Label.objects.get()
    assert (label.title, label.description, label.type) == (TITLE, "since noon", "python")
    assert (label.category, label.urgency, label.told_category, label.told_urgency, label.by) == (
        "Network",
        "low",
        "Database",
        "high",
        world.operator,
    )
    entry = AuditEntry.objects.get(action="job.classify")
    assert (entry.actor_name, entry.target) == ("operator", str(job.pk))
    assert entry.detail == {
        "old": {"category": "Database", "urgency": "high"},
        "new": {"category": "Network", "urgency": "low"},
    }
    assert [claim_all(slots=1)[0].job_id for _ in range(2)] == [earlier.pk, job.pk]
    assert_whole()


def test_the_same_text_has_the_corrected_answer_from_then_on(world: World) -> None:
    correct(make_job(world.org, title=TITLE).pk, scope=scope_of(world), category="Network", urgency="low")

    ours, theirs = make_job(world.org, title=TITLE), make_job(world.rival, title=TITLE)
    classify_some()

    assert now(ours) == ("Network", "low")
    assert ours.classification is not None
    assert ours.classification["source"] == "user_cached"
    assert now(theirs) == ("Database", "high")


@pytest.mark.parametrize(
    ("said", "becomes"),
    [({"category": "Network"}, ("Network", "high")), ({"urgency": "low"}, ("Database", "low"))],
)
def test_what_is_not_said_stays_as_it_was(world: World, said: dict[str, str], becomes: tuple[str, str]) -> None:
    job = make_job(world.org, title=TITLE)
    classify_some()

    correct(job.pk, scope=scope_of(world), **said)

    assert now(job) == becomes


def test_a_correction_before_the_text_was_read_holds(world: World) -> None:
    job = make_job(world.org, title=TITLE)

    correct(job.pk, scope=scope_of(world), urgency="low")
    classify_some()

    assert now(job) == ("", "low")
    assert not ToClassify.objects.exists()


@pytest.mark.parametrize("ended", [True, False])
def test_a_job_that_runs_or_has_ended_is_filed_anew_and_keeps_its_urgency(world: World, ended: bool) -> None:
    job = make_dead_letter(world.org, title=TITLE) if ended else make_job(world.org, title=TITLE)
    claim_all()

    correct(job.pk, scope=scope_of(world), category="Network", urgency="high")

    assert now(job) == ("Network", "medium")
    assert Label.objects.get().urgency == "high"
    assert_whole()


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, ""),
        ({"category": "Kitchen"}, "/category"),
        ({"category": "Network", "urgency": "soon"}, "/urgency"),
        ({"category": "Net\0work"}, "/category"),
    ],
)
def test_what_is_no_answer_is_refused(world: World, said: dict[str, str], pointer: str) -> None:
    job = make_job(world.org, title=TITLE)

    with pytest.raises(InvalidClassification) as refused:
        correct(job.pk, scope=scope_of(world), **said)

    assert [where for where, _ in refused.value.errors] == [pointer]
    assert now(job) == ("", "medium")
    assert not Label.objects.exists()


def test_it_takes_the_right_and_a_job_of_ones_own(world: World) -> None:
    job = make_job(world.org, title=TITLE)

    with pytest.raises(PermissionDenied):
        correct(job.pk, scope=scope_of(world, world.viewer), category="Network")
    with pytest.raises(JobNotFound):
        correct(job.pk, scope=scope_of(world, world.outsider), category="Network")

    assert now(job) == ("", "medium")


@pytest.mark.django_db(transaction=True)
def test_a_person_and_the_classifier_at_once_leave_what_the_person_said(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, "Database", "high")
    org = make_org("acme")
    scope = find_scope(make_member(org), None)
    jobs = [make_job(org, title=f"t{number}") for number in range(20)]

    outcomes = at_once(
        classify_some,
        lambda: [correct(job.pk, scope=scope, category="Network", urgency="low") for job in reversed(jobs)],
    )

    assert not any(isinstance(outcome, Exception) for outcome in outcomes)
    assert {now(job) for job in jobs} == {("Network", "low")}
    assert not ToClassify.objects.exists()
    assert_whole()


# --- Categories of an organisation's own ------------------------------------------------------------------------


def admin(world: World) -> Scope:
    return scope_of(world, world.owner)


def test_an_organisation_has_categories_of_its_own(world: World) -> None:
    assert set_categories(OWN, scope=admin(world)) == OWN

    assert categories_of(Org.objects.get(pk=world.org.pk)) == OWN
    assert categories_of(world.rival) == ["Infrastructure", "Database", "Application", "Network"]
    entry = AuditEntry.objects.get(action="org.categories")
    assert (entry.detail["old"][0], entry.detail["new"]) == ("Infrastructure", OWN)


def test_its_jobs_are_told_among_them(world: World) -> None:
    set_categories(OWN, scope=admin(world))
    job = make_job(world.org, title="Billing run failed")

    classify_some()

    assert now(job)[0] == "Billing"
    assert job.classification is not None
    assert set(job.classification["probabilities"]) == set(OWN)


def test_none_brings_back_those_of_the_deployment(world: World) -> None:
    set_categories(OWN, scope=admin(world))

    assert set_categories([], scope=admin(world))[0] == "Infrastructure"


def test_the_same_again_is_no_act(world: World) -> None:
    for _ in range(2):
        set_categories(OWN, scope=admin(world))

    assert AuditEntry.objects.filter(action="org.categories").count() == 1


BAD: list[tuple[list[str], str]] = [
    (["One"], "/categories"),
    ([str(number) for number in range(MOST_CATEGORIES + 1)], "/categories"),
    (["Good", ""], "/categories/1"),
    (["Good", "x" * 41], "/categories/1"),
    (["Good", "a\nb"], "/categories/1"),
    (["Good", "a\0b"], "/categories/1"),
    (["Good", "good"], "/categories/1"),
]


@pytest.mark.parametrize(("names", "pointer"), BAD)
def test_names_that_are_none_are_refused(world: World, names: list[str], pointer: str) -> None:
    with pytest.raises(InvalidClassification) as refused:
        set_categories(names, scope=admin(world))

    assert [where for where, _ in refused.value.errors] == [pointer]


def test_a_category_that_a_schedule_names_stays(world: World) -> None:
    job: dict[str, Any] = {"type": "python", "payload": {}, "category": "Network"}
    Schedule.objects.create(org=world.org, name="nightly", cron="@daily", job=job)

    with pytest.raises(InvalidClassification) as refused:
        set_categories(OWN, scope=admin(world))

    assert "nightly" in refused.value.errors[0][1]
    assert set_categories([*OWN, "Network"], scope=admin(world))


def test_only_admins_set_them(world: World) -> None:
    with pytest.raises(PermissionDenied):
        set_categories(OWN, scope=scope_of(world))
