"""Why a job has its place: the parts that are shown are the numbers that put it there."""

from typing import Any

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import Job, Queue, QueueShare, Ready
from jobs.pages.order import order_of
from jobs.queue import shares
from jobs.queue.change import change_urgency, move
from jobs.queue.enqueue import enqueue_many
from jobs.queue.shares import share_of
from jobs.ranking import POLICIES
from tests.conftest import World
from tests.factories import browser, make_history, make_job
from tests.jobs.pages.pages import Element, read
from tests.jobs.queue.acts import new_job, scope_of

pytestmark = pytest.mark.django_db


def seconds(page: Element, part: str) -> float:
    (cell,) = [one for one in page.by_id(f"part-{part}").walk() if "data-seconds" in one.attributes]
    return float(cell.attributes["data-seconds"])


def order_page(world: World, job: Job) -> Element:
    return read(browser(world.operator).get(f"/jobs/{job.pk}/"))


urgencies = st.sampled_from(["high", "medium", "low"])
tunings = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(["", *POLICIES]),
        "urgency": urgencies,
        "later_urgency": st.none() | urgencies,
        "before": st.integers(0, 30),
        "usual_ms": st.floats(1, 1e7),
        "behind": st.floats(-1e5, 0),
        "power": st.floats(0.1, 4),
        "stretch": st.floats(1.5, 100),
        "rate": st.floats(0.1, 1000),
        "elsewhere": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=tunings)
def test_the_parts_that_are_shown_add_up_to_the_rank(world: World, asked: dict[str, Any]) -> None:
    """Whatever the policy, the settings, the urgency and the weight of the organisation were when it was queued."""
    Job.objects.all().delete()
    Ready.objects.all().delete()
    shares._shares.clear()
    Queue.objects.update_or_create(org=world.org, name="q", defaults={"policy": asked["policy"]})
    QueueShare.objects.filter(org_id=world.org.pk).update(rate=asked["rate"])
    with override_settings(
        RANK_POWER=asked["power"], RANK_STRETCH=asked["stretch"], DEFAULT_PREDICTED_MS=asked["usual_ms"]
    ):
        enqueue_many([new_job(queue="q")] * asked["before"], org=world.org, user=None)
        job = make_job(world.org, queue="q", urgency=asked["urgency"])
        Job.objects.filter(pk=job.pk).update(share_offset=asked["behind"])
        Ready.objects.filter(pk=job.pk).update(rank=Ready.objects.get(pk=job.pk).rank + asked["behind"])
        if asked["later_urgency"]:
            change_urgency(job.pk, asked["later_urgency"], scope=scope_of(world))
        if asked["elsewhere"]:
            move(job.pk, "other", scope=scope_of(world))
    job.refresh_from_db()

    # the share as it is known now may be another than the one that it was ranked by
    order = order_of(job, share_of(world.org.pk, job.queue))

    assert order is not None
    rank = Ready.objects.get(job_id=job.pk).rank
    assert order.rank == pytest.approx(rank, abs=1e-3)
    assert order.queued_at.timestamp() + sum(part.seconds for part in order.parts) == pytest.approx(rank, abs=1e-3)
    assert all(part.left >= 0 and part.left + part.width <= 100.01 for part in order.parts)


def test_the_page_shows_the_very_numbers(world: World) -> None:
    make_history(world.org, [900.0] * 20)
    enqueue_many([new_job()] * 9, org=world.org, user=None)
    job = make_job(world.org, urgency="high")

    page = order_page(world, job)

    rank = Ready.objects.get(job_id=job.pk).rank
    parts = [seconds(page, name) for name in ("queued", "behind", "share", "length", "urgency")]
    assert sum(parts) == pytest.approx(rank, abs=1e-3)
    assert seconds(page, "rank") == pytest.approx(rank, abs=1e-3)
    assert seconds(page, "urgency") < 0
    assert "sooner" in page.by_id("part-urgency").one("svg").attributes["class"]


def test_each_part_of_the_rank_is_told(world: World) -> None:
    job = make_job(world.org, urgency="low")
    Job.objects.update(rank_offset=1200, stretch=20, share_offset=-60)

    page = order_page(world, job)

    assert "−1 m" in page.by_id("part-behind").text
    assert "+1 m" in page.by_id("part-share").text
    assert "8 times as long" in page.by_id("part-urgency").text
    assert page.by_id("order").one("p").text.startswith("What decides most is its urgency: 19 m")


def test_a_queue_in_order_of_arrival_says_so(world: World) -> None:
    Queue.objects.create(org=world.org, name="default", policy="fifo")

    page = order_page(world, make_job(world.org, urgency="high"))

    assert "order of arrival" in page.by_id("part-length").text
    assert (seconds(page, "length"), seconds(page, "urgency")) == (0, 0)


def test_a_job_that_does_not_wait_has_no_such_panel(world: World) -> None:
    page = order_page(world, make_job(world.org, delay_seconds=60))

    assert not [one for one in page.walk() if one.attributes.get("id") == "order"]
