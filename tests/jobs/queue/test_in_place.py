"""What a job's end costs its row, and places that are given beforehand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from pytest_django import Settings

from jobs.models import Job, Ready
from jobs.queue.enqueue import Enqueued, enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import renew
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import WORKER, claim_all, make_job
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.whole import lapse_leases

pytestmark = pytest.mark.django_db


def updates(table: str) -> tuple[int, int]:
    """Rows of a table that were updated in this transaction, and how many of them in place: no index was touched."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = %s", [table])
        found: tuple[int, int] = cursor.fetchone()
    return found


def updated_by(table: str, act: Callable[[], Any]) -> tuple[int, int]:
    before = updates(table)
    act()
    after = updates(table)
    return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize("fields", [{}, {"idempotency_key": "k"}, {"limit_key": "tenant-7"}])
def test_a_job_that_is_done_is_updated_in_place(world: World, fields: dict[str, Any]) -> None:
    enqueue_many([new_job(**fields), *(new_job() for _ in range(4))], org=world.org, user=None)
    claims = claim_all()

    found = updated_by(
        "jobs_job", lambda: finish([Ended(one, Outcome.DONE, result=3) for one in claims], worker_name="w")
    )

    assert found == (5, 5)
    assert Job.objects.filter(status="done").count() == 5


def test_a_job_that_is_cancelled_or_released_is_updated_in_place(world: World) -> None:
    for _ in range(2):
        make_job(world.org)
    one, other = claim_all()

    found = updated_by(
        "jobs_job",
        lambda: finish([Ended(one, Outcome.CANCELLED), Ended(other, Outcome.RELEASED)], worker_name="w"),
    )

    assert found == (2, 2)


def test_a_dead_letter_and_a_retry_enter_an_index(world: World) -> None:
    """What the test above would count if an end did."""
    make_job(world.org, max_attempts=1)
    make_job(world.org)

    found = updated_by("jobs_job", lambda: finish([Ended(one, Outcome.ERROR) for one in claim_all()], worker_name="w"))

    assert found == (2, 0)


def test_a_renewal_is_made_in_place(world: World) -> None:
    for _ in range(3):
        make_job(world.org)
    tokens = [one.token for one in claim_all()]

    assert updated_by("jobs_lease", lambda: renew(worker_id=WORKER, tokens=tokens)) == (3, 3)
    lapse_leases()


# --- places ---------------------------------------------------------------------------------------------------------


def test_a_head_start_goes_that_part_of_the_way(world: World, settings: Settings) -> None:
    heads = {"none": 0.0, "quarter": 0.25, "nearly all": 0.99, "late": -0.5, "last": -0.99}
    enqueue_many([new_job(name=name, head_start=part) for name, part in heads.items()], org=world.org, user=None)

    stretches = dict(Job.objects.values_list("name", "stretch"))
    assert stretches == pytest.approx({name: settings.RANK_STRETCH**-part for name, part in heads.items()})
    assert [one.name for one in claim_all()] == ["nearly all", "quarter", "none", "late", "last"]


def test_a_head_start_is_kept_at_the_next_try(world: World) -> None:
    (first,) = enqueue_many([new_job(head_start=0.9)], org=world.org, user=None)
    enqueue_many([new_job()], org=world.org, user=None)
    ahead, _ = claim_all(slots=1)[0], claim_all()
    assert isinstance(first, Enqueued)
    assert ahead.job_id == first.job_id

    finish([Ended(ahead, Outcome.RELEASED)], worker_name="w")
    make_job(world.org)

    assert Ready.objects.earliest("rank").job_id == first.job_id
