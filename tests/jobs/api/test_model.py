"""/model/: how the model in use does, and another version in its place."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.models import Learning, ModelVersion
from orgs.models import AuditEntry
from tests.analytics.rows import make_accuracy
from tests.conftest import World
from tests.factories import api, make_version

pytestmark = pytest.mark.django_db

MODEL = "/api/v1/model/"


def in_use(world: World) -> int:
    return ModelVersion.objects.get(org=world.org, active=True).version


@pytest.fixture
def two(world: World) -> None:
    make_version(world.org, 1, source="command", reason="promoted: 0.5 against 0.6 of ewma")
    make_version(world.org, 2, source="leader", active=True, previous=1)


@pytest.mark.usefixtures("two")
def test_recent_figures_are_of_the_version_in_use_and_the_last_hours(world: World, settings: Settings) -> None:
    settings.DRIFT_HOURS = 3
    now = timezone.now()
    make_accuracy(
        world.org, now, model_version=2, runs=4, log2_error=2.0, log2_bias=-1.0, within_2x=3, ranged=2, in_range=1
    )
    make_accuracy(world.org, now - timedelta(hours=2), model_version=2, runs=4, log2_error=4.0, within_2x=3)
    make_accuracy(world.org, now - timedelta(hours=4), model_version=2, runs=100)
    make_accuracy(world.org, now, model_version=1, runs=100)
    make_accuracy(world.rival, now, model_version=2, runs=100)

    learning = api(world.viewer).get(MODEL).json()["learning"]

    assert learning["recent"] == {
        "hours": 3, "runs": 8, "malr": 0.75, "bias": -0.125, "within_2x": 0.75, "coverage": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "trained_runs", "until"),
    [(0, 0, 200), (150, 0, 50), (200, 0, 0), (5_000, 4_000, 0), (4_100, 4_000, 300), (1_000_000, 999_900, 1_900)],
)
def test_it_says_after_how_many_runs_it_is_trained_again(
    world: World, runs: int, trained_runs: int, until: int
) -> None:
    Learning.objects.create(org_id=world.org.pk, runs=runs, trained_runs=trained_runs)

    learning = api(world.viewer).get(MODEL).json()["learning"]

    assert (learning["runs"], learning["runs_since_training"]) == (runs, runs - trained_runs)
    assert learning["runs_until_training"] == until


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("seconds", "state"), [(95, "active"), (105, "drifting")])
def test_it_drifts_when_it_has_been_worse_for_long(world: World, settings: Settings, seconds: int, state: str) -> None:
    settings.DRIFT_SECONDS = 100
    Learning.objects.create(org_id=world.org.pk, worse_since=Now() - timedelta(seconds=seconds))

    assert api(world.viewer).get(MODEL).json()["state"] == state


@pytest.mark.usefixtures("two")
def test_another_version_and_back(world: World) -> None:
    admin = api(world.owner)

    promoted = admin.post(f"{MODEL}versions/1/promote/")
    after = in_use(world)
    back = admin.post(f"{MODEL}rollback/")

    assert (promoted.status_code, promoted.json()["version"], promoted.json()["active"]) == (200, 1, True)
    assert (promoted.json()["promoted_by"], promoted.json()["previous"], after) == ("user:owner", 2, 1)
    assert (back.status_code, back.json()["version"], in_use(world)) == (200, 2, 2)
    entries = AuditEntry.objects.filter(action__in=["model.promote", "model.rollback"]).order_by("pk")
    assert [(one.action, one.actor, one.target) for one in entries] == [
        ("model.promote", world.owner, "version 1"),
        ("model.rollback", world.owner, "version 2"),
    ]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("version", "status"), [("2", 409), ("9", 404), ("-1", 404), ("x", 404), ("1e0", 404), ("²", 404), ("9" * 30, 404)]
)
def test_what_is_there_not_or_in_use_already_is_refused(world: World, version: str, status: int) -> None:
    response = api(world.owner).post(f"{MODEL}versions/{version}/promote/")

    assert response.status_code == status
    assert in_use(world) == 2


def test_there_may_be_none_to_go_back_to(world: World) -> None:
    without = api(world.owner).post(f"{MODEL}rollback/")
    make_version(world.org, 1, active=True)
    alone = api(world.owner).post(f"{MODEL}rollback/")

    assert (without.status_code, alone.status_code) == (409, 409)
    assert alone.json()["detail"] == "No version was in use before version 1."


@pytest.mark.usefixtures("two")
def test_that_of_another_organisation_is_not_touched(world: World) -> None:
    make_version(world.rival, 7, active=True)
    outsider = api(world.outsider)

    assert outsider.post(f"{MODEL}versions/1/promote/").status_code == 404
    assert outsider.post(f"{MODEL}rollback/").status_code == 409
    assert in_use(world) == 2


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("path", [MODEL, "/api/v1/predictions/"])
def test_it_is_told_with_few_questions(world: World, path: str, django_assert_max_num_queries: Any) -> None:
    for version in range(3, 30):
        make_version(world.org, version)
    client = api(world.viewer)

    with django_assert_max_num_queries(12):
        assert client.get(path).status_code == 200
