"""An organisation's classifier learns from its people's corrections, and is used where it is no worse."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from jobs import active_classifier, label_training
from jobs.classifying import Asked, answer_many
from jobs.label_training import NothingToLearn, learn_labels
from jobs.models import ClassifierCount, ClassifierVersion, Label
from jobs.processes import aside, label_learner
from jobs.processes.label_learner import LabelLearner
from jobs.queue import sql
from orgs.models import Org
from predictor.classifier import Classifier, Fitted, default
from tests.conftest import World
from tests.jobs.classifiers import FakeClassifier, said

pytestmark = pytest.mark.django_db

FROBNICATE = "Frobnicate the wombat queue {}"


def teach(org: Org, jobs: int = 10, category: str = "Network", urgency: str = "low", start: int = 0) -> None:
    for number in range(start, start + jobs):
        asked = Asked("shell", FROBNICATE.format(number), "")
        Label.objects.create(
            org=org, digest=asked.digest, type="shell", title=asked.title, category=category, urgency=urgency
        )
    ClassifierCount.objects.update_or_create(org_id=org.pk, defaults={"corrections": jobs})


def category_of(org: Org, title: str) -> str:
    return answer_many(org, [Asked("shell", title, "")])[0].category


def test_what_people_taught_is_told_of_texts_that_are_like_it(world: World) -> None:
    teach(world.org, 30)

    learned = learn_labels(world.org)

    assert (learned.labels, learned.version, learned.active) == (30, 1, True)
    assert learned.metrics["held_out"] == 15
    assert learned.metrics["correct"] >= learned.metrics["correct_before"]
    assert category_of(world.org, FROBNICATE.format("again")) == "Network"
    assert category_of(world.org, "Database timeout: primary pool exhausted") == "Database"


def test_another_organisation_learns_nothing_of_it(world: World) -> None:
    before = category_of(world.rival, FROBNICATE.format("again"))
    teach(world.org, 30)
    learn_labels(world.org)

    assert not ClassifierVersion.objects.for_org(world.rival).exists()
    assert category_of(world.rival, FROBNICATE.format("and again")) == before
    with pytest.raises(NothingToLearn):
        learn_labels(world.rival)


def test_nothing_new_is_nothing_to_learn(world: World) -> None:
    teach(world.org, 3)
    learn_labels(world.org)

    with pytest.raises(NothingToLearn):
        learn_labels(world.org)


@pytest.mark.parametrize("labels", [1, 2, 3])
def test_few_corrections_are_learned_too(world: World, labels: int) -> None:
    teach(world.org, labels)

    assert learn_labels(world.org).active


def test_a_worse_classifier_is_kept_and_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(world.org, 10)
    learn_labels(world.org)
    teach(world.org, 10, start=10)
    wrong: Any = FakeClassifier(lambda text: said("Database", "high"))
    monkeypatch.setattr(label_training, "fit", lambda *args, **options: Fitted(wrong, {}))
    monkeypatch.setattr(label_training, "dump", lambda classifier: b"")

    learned = learn_labels(world.org)

    assert not learned.active
    assert learned.metrics["correct"] == 0.0
    assert list(ClassifierVersion.objects.order_by("version").values_list("version", "active")) == [
        (1, True),
        (2, False),
    ]


def test_what_is_held_out_was_seen_by_neither(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(world.org, 10)
    learn_labels(world.org)
    teach(world.org, 10, start=10)
    fitted: list[set[str]] = []
    fit = label_training.fit

    def spy(examples: Any, *args: Any, **options: Any) -> Fitted:
        fitted.append({example.text.title for example in examples})
        return fit(examples, *args, **options)

    monkeypatch.setattr(label_training, "fit", spy)

    learn_labels(world.org)

    candidate, final = fitted
    assert final - candidate == {FROBNICATE.format(number) for number in range(15, 20)}


def test_what_was_said_last_of_a_text_is_what_is_learned(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    teach(world.org, 1, "Network", "low")
    teach(world.org, 1, "Database", "")
    teach(world.org, 1, "Kitchen", "high", start=1)
    learned: list[Any] = []

    def spy(examples: Any, *args: Any, **options: Any) -> Fitted:
        learned.append(examples)
        return Fitted(default(), {})

    monkeypatch.setattr(label_training, "fit", spy)

    learn_labels(world.org)

    assert [(one.category, one.urgency) for one in learned[-1]] == [("Database", "low"), (None, "high")]


def test_other_categories_since_make_the_version_rest(world: World) -> None:
    teach(world.org, 10)
    learn_labels(world.org)
    world.org.job_settings = {"categories": ["Billing", "Wombat queue"]}
    world.org.save()

    assert category_of(world.org, FROBNICATE.format("again")) in {"Billing", "Wombat queue"}


def test_a_broken_version_is_passed_over(world: World, caplog: pytest.LogCaptureFixture) -> None:
    ClassifierVersion.objects.create(
        org=world.org, version=1, weights=b"x", categories=list(default().labels), labels=1, active=True
    )

    assert category_of(world.org, "Database timeout: primary pool exhausted") == "Database"
    assert "is broken" in caplog.text


def test_it_is_loaded_where_it_is_used_within_the_time_to_reload(world: World, settings: Settings) -> None:
    settings.MODEL_RELOAD_SECONDS = 0
    before: Classifier = active_classifier.classifier_of(world.org, default().labels).model
    teach(world.org, 5)
    learn_labels(world.org)

    after = active_classifier.classifier_of(world.org, default().labels).model

    assert before.version == default().version
    assert after.version != before.version


def test_old_versions_go(world: World, settings: Settings) -> None:
    settings.MODEL_VERSIONS_KEPT = 2
    for round in range(4):
        teach(world.org, 2, start=2 * round)
        learn_labels(world.org)

    assert ClassifierVersion.objects.count() <= 3
    assert ClassifierVersion.objects.filter(active=True).count() == 1


# --- When ----------------------------------------------------------------------------------------------------------


def due(settings: Settings) -> list[int]:
    each = settings.LABELS_EACH
    rows = sql.run("due_labels", quiet_seconds=settings.LABELS_QUIET_SECONDS, each=each, batch=10)
    return [row.org_id for row in rows]


def test_enough_corrections_are_learned_at_once_and_fewer_after_a_while(world: World, settings: Settings) -> None:
    settings.LABELS_EACH, settings.LABELS_QUIET_SECONDS = 5, 3600.0
    teach(world.org, 5)
    teach(world.rival, 4)
    assert due(settings) == [world.org.pk]

    learn_labels(world.org)
    assert due(settings) == []

    settings.LABELS_QUIET_SECONDS = 0.0
    assert due(settings) == [world.rival.pk]


class Process:
    """A child that ends when the test says so."""

    def __init__(self, command: list[str]) -> None:
        self.command, self.returncode, self.killed = command, None, False

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self.killed, self.returncode = True, -9

    def wait(self) -> None: ...


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The children that were begun."""
    found: list[Process] = []

    def popen(command: list[str], **options: Any) -> Process:
        found.append(Process(command))
        return found[-1]

    monkeypatch.setattr(aside.subprocess, "Popen", popen)
    return found


def test_the_leader_begins_one_child_at_a_time(world: World, settings: Settings, begun: list[Process]) -> None:
    settings.LABELS_QUIET_SECONDS = 0.0
    teach(world.org, 1)
    teach(world.rival, 1)
    learner = LabelLearner()

    learner()
    learner()
    assert [one.command[2:5] for one in begun] == [["learn_labels", "--org", "acme"]]

    learn_labels(world.org)
    begun[0].returncode = 0
    learner()
    assert [one.command[4] for one in begun] == ["acme", "rival"]


def test_one_that_fails_is_put_off_and_one_that_hangs_is_ended(
    world: World, settings: Settings, begun: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LABELS_QUIET_SECONDS = 0.0
    teach(world.org, 1)
    learner = LabelLearner()
    learner()

    assert learner.aside is not None
    learner.aside.ends_by = 0.0
    learner()
    assert begun[0].killed
    learner()
    assert len(begun) == 1

    monkeypatch.setattr(label_learner.time, "monotonic", lambda: 1e12)
    learner()
    assert len(begun) == 2
    learner.close()
    assert begun[1].killed


def test_the_command_says_what_came_of_it(world: World) -> None:
    teach(world.org, 10)
    out = StringIO()

    call_command("learn_labels", stdout=out)

    assert "acme: 10 corrections, right in" in out.getvalue()
    assert "version 1 stored and in use" in out.getvalue()
    assert "rival: no corrections since the newest version" in out.getvalue()
    with pytest.raises(CommandError, match="nowhere"):
        call_command("learn_labels", "--org", "nowhere")
