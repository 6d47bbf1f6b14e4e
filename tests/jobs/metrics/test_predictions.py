"""What Prometheus is told of predictions and models, over all organisations."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from jobs.metrics.database import predictions
from jobs.models import Learning
from tests.conftest import World
from tests.factories import make_hour, make_version

pytestmark = pytest.mark.django_db


def told() -> dict[str, float]:
    return {metric.name.removeprefix("smartqueue_"): metric.samples[0].value for metric in predictions()}


def test_errors_are_means_over_the_runs_of_all(world: World) -> None:
    make_hour(world.org, relative_error=50.0, ranged=100, in_range=80)
    make_hour(world.rival, runs=300, log2_error=500.0, relative_error=250.0)
    make_hour(world.rival, hours_ago=3)

    found = told()

    assert (found["prediction_mape"], found["prediction_log2_error"]) == (0.75, 1.5)
    assert found["prediction_coverage"] == 0.8


def test_of_a_quiet_time_no_error_is_told(world: World) -> None:
    make_version(world.org, 1, active=True)

    assert told() == {"models_active": 1, "models_drifting": 0, "training_failures": 0}


def test_models_that_drift_and_trainings_that_fail_are_counted(world: World) -> None:
    for org in (world.org, world.rival):
        make_version(org, 1, active=True)
    Learning.objects.create(org_id=world.org.pk, worse_since=Now() - timedelta(hours=1), failures=1)
    Learning.objects.create(org_id=world.rival.pk, worse_since=Now(), failures=3, error="It died.")

    assert told() == {"models_active": 2, "models_drifting": 1, "training_failures": 3}
