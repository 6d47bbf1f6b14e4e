"""The page of the model: what is in use and why, how near it comes, and another version by one click."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from analytics import model
from jobs.listing import TooSlow
from jobs.models import Attempt, Learning, ModelVersion
from tests.analytics.rows import make_accuracy, numbers_of, roll_up
from tests.conftest import World
from tests.factories import PastRun, browser, make_runs, make_version
from tests.jobs.pages.pages import Element, read

pytestmark = pytest.mark.django_db

METRICS = {"malr": 0.5, "within_2x": 0.9, "p10_p90_coverage": 0.79}


def page(world: World, who: str = "owner", query: str = "") -> Element:
    return read(browser(world.people()[who]).get(f"/model/{query}"))


def in_use(world: World) -> int:
    return ModelVersion.objects.get(org=world.org, active=True).version


@pytest.fixture
def two(world: World) -> None:
    """Two versions, the second in use; and one of another organisation."""
    make_version(world.org, 1, metrics=METRICS, reason="promoted: 0.500 against 0.700 of ewma", source="leader")
    make_version(
        world.org, 2, metrics=METRICS, active=True, previous=1, promoted_by="leader", promoted_at=timezone.now(),
        reason="promoted: 0.480 against 0.500 of version 1", source="leader",
    )  # fmt: skip
    make_version(world.rival, 1, reason="secret")


def test_without_a_version_it_says_what_predicts_and_when_it_is_trained(world: World) -> None:
    found = page(world)

    assert "Averages of past runs" in found.by_id("model-state").text
    assert "after 200 more runs" in found.by_id("model-learning").text
    assert "manage.py train --org acme" in found.by_id("versions").text
    assert not found.all("form", action="/model/rollback/")


@pytest.mark.usefixtures("two")
def test_it_says_what_is_in_use_and_why(world: World) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    make_accuracy(world.org, hour, model_version=2, runs=40, log2_error=40.0, within_2x=30, ranged=40, in_range=30)
    make_accuracy(world.org, hour, model_version=1, runs=500)
    Learning.objects.create(org_id=world.org.pk, runs=450, trained_runs=400, trained_at=timezone.now())

    found = page(world)

    said = found.by_id("model-state").text
    for words in (
        "active Version 2", "promoted: 0.480 against 0.500 of version 1", "×1.41", "×2.00 over 40 runs",
        "75 %, 80 % should",
    ):  # fmt: skip
        assert words in said
    assert "after 150 more runs" in found.by_id("model-learning").text
    assert [row.attributes["id"] for row in found.by_id("versions").all("tr") if "id" in row.attributes] == [
        "version-2",
        "version-1",
    ]
    assert "secret" not in found.text


@pytest.mark.usefixtures("two")
def test_drift_is_said_when_it_has_lasted(world: World, settings: Settings) -> None:
    settings.DRIFT_SECONDS = 600
    learning = Learning.objects.create(org_id=world.org.pk, worse_since=Now() - timedelta(seconds=500))
    early = page(world)
    learning.worse_since = timezone.now() - timedelta(seconds=700)
    learning.save()

    late = page(world)

    assert "not yet for long" in early.by_id("model-learning").text
    assert early.by_id("model-state").all("span", css="ok")
    assert "drifting" in late.by_id("model-state").text


def test_failed_trainings_are_told_with_their_error(world: World) -> None:
    Learning.objects.create(
        org_id=world.org.pk, failures=2, error="It was ended by SIGKILL.", not_before=timezone.now()
    )

    assert "2 times: It was ended by SIGKILL." in page(world).by_id("model-learning").text


@pytest.mark.usefixtures("two")
def test_another_version_by_one_click_and_back(world: World) -> None:
    admin = browser(world.owner)
    (use,) = page(world).by_id("versions").all("form")

    told = read(admin.post(use.attributes["action"], follow=True))
    promoted = in_use(world)
    back = read(admin.post("/model/rollback/", follow=True))

    assert promoted == 1
    assert "Version 1 is in use, everywhere within seconds." in told.text
    assert "Version 2 is in use again" in back.text
    assert in_use(world) == 2


@pytest.mark.usefixtures("two")
def test_what_cannot_be_done_is_said(world: World) -> None:
    ModelVersion.objects.filter(org=world.org, version=1).update(weights=b"rubbish")
    admin = browser(world.owner)

    said = [
        read(admin.post(path, follow=True)).text
        for path in ("/model/versions/2/promote/", "/model/versions/1/promote/")
    ]

    assert "Version 2 is in use already" in said[0]
    assert "cannot be read" in said[1]
    assert in_use(world) == 2
    assert admin.post("/model/versions/9/promote/").status_code == 404


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("who", ["operator", "viewer"])
def test_who_may_not_choose_sees_why(world: World, who: str) -> None:
    found = page(world, who)

    assert not found.all("form", action="/model/rollback/")
    assert not found.by_id("versions").all("form")
    assert "takes an org admin" in found.by_id("why-not").text


@pytest.mark.usefixtures("two")
def test_the_charts_draw_what_ended_and_say_it_in_words(world: World) -> None:
    make_runs(world.org, [PastRun(1000.0)] * 3 + [PastRun(4000.0)])
    low, high = 900.0, 1100.0
    Attempt.objects.update(predicted_low_ms=low, predicted_high_ms=high)
    roll_up()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago in (0, 1, 2):
        make_accuracy(world.org, hour - timedelta(hours=ago), runs=10, log2_error=10.0)

    response = browser(world.owner).get("/model/?hours=1")

    found, error = read(response), numbers_of(response, "error")
    assert "Half of 4 runs were off by no more than a factor of 2" in found.by_id("chart-error").text
    assert "75% of the runs took between p10 and p90; 80% should." in found.by_id("chart-calibration").text
    half, most, mean, promised = error["lines"]
    assert most["values"] == half["values"]
    assert [value for value in mean["values"] if value is not None] == [pytest.approx(2.0)] * 4
    assert promised["dashed"]
    assert set(promised["values"]) == {2**0.5}
    assert sum(value is not None for value in half["values"]) == 4
    assert sum(numbers_of(response, "errors")["lines"][0]["values"]) == 4
    assert len(numbers_of(response, "predicted")["x"]) == 4
    assert len(read(browser(world.owner).get("/model/")).by_id("accuracy-numbers").all("tr")) == 4


def test_charts_that_take_too_long_are_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any) -> None:
        raise TooSlow

    monkeypatch.setattr(model.queries, "accuracy_over_time", slow)

    assert "Too much to draw" in page(world).text


@pytest.mark.usefixtures("two")
def test_it_asks_no_more_questions_however_much_there_is(world: World, django_assert_max_num_queries: Any) -> None:
    client = browser(world.viewer)
    with django_assert_max_num_queries(20) as few:
        client.get("/model/")
    for version in range(3, 30):
        make_version(world.org, version)
    make_runs(world.org, [PastRun(100.0)] * 50)

    with django_assert_max_num_queries(len(few)):
        assert client.get("/model/").status_code == 200
