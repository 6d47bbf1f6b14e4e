"""What workers of the version before leave is folded too, each run once."""

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from jobs.models import Accuracy, Learning, RunDelta, RuntimeMemory
from jobs.queue.upkeep import fold_earlier, fold_runs
from orgs.models import Org
from tests.conftest import World
from tests.jobs.queue.plans import assert_by_index, plan

pytestmark = pytest.mark.django_db

MEMORIES = """
    INSERT INTO jobs_memorydelta (org_id, person, type, name, runtimes_ms, failed, ended)
    SELECT %(org_id)s, '1', 'python', 'n' || n, '{1, 2}', '{false, true}', '{2, 3}'
    FROM generate_series(1, %(rows)s) AS n
"""
SUMS = """
    INSERT INTO jobs_accuracydelta (org_id, hour, model_version, runs, log2_error, log2_bias, relative_error, within_2x,
        ranged, in_range, risked, risk, failed)
    SELECT %(org_id)s, '2026-03-01 09:00Z', n %% 2, 2, 3, -3, 0.5, 1, 2, 1, 2, 0.25, 1
    FROM generate_series(1, %(rows)s) AS n
"""
HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty(db: None) -> None:
    """No model has these tables, so nothing empties them after tests that commit."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_memorydelta; DELETE FROM jobs_accuracydelta")


def leave(org: Org, *statements: str, rows: int) -> None:
    """As the version before did with each batch of ends."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, {"org_id": org.pk, "rows": rows})


def left() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM jobs_memorydelta), (SELECT count(*) FROM jobs_accuracydelta)")
        return list(cursor.fetchone())


def test_runs_are_remembered_once_and_their_sums_are_added_once(world: World) -> None:
    leave(world.org, MEMORIES, SUMS, rows=3)

    assert fold_earlier() is False
    fold_runs()
    fold_earlier()
    fold_runs()

    assert left() == [0, 0]
    memory = RuntimeMemory.objects.get(org_id=world.org.pk, level=4)
    assert (memory.runs, memory.failures) == (6, 3)
    assert RuntimeMemory.objects.filter(level=0, runs=2).count() == 3
    sums = Accuracy.objects.order_by("model_version").values_list(
        "org_id", "hour", "model_version", "runs", "log2_error", "log2_bias", "relative_error", "within_2x",
        "ranged", "in_range", "risked", "risk", "failed",
    )  # fmt: skip
    assert list(sums) == [
        (world.org.pk, HOUR, 0, 2, 3.0, -3.0, 0.5, 1, 2, 1, 2, 0.25, 1),
        (world.org.pk, HOUR, 1, 4, 6.0, -6.0, 1.0, 2, 4, 2, 4, 0.5, 2),
    ]
    assert Learning.objects.get().runs == 6


@pytest.mark.parametrize(
    ("statements", "after"), [((MEMORIES,), [1, 0]), ((SUMS,), [0, 1]), ((MEMORIES, SUMS), [1, 1])]
)
def test_a_batch_is_bounded_and_says_whether_there_is_more(
    world: World, statements: tuple[str, ...], after: list[int]
) -> None:
    leave(world.org, *statements, rows=3)

    assert fold_earlier(batch=2) is True
    assert left() == after
    assert fold_earlier(batch=2) is False
    assert left() == [0, 0]


def test_what_is_undone_is_still_there(world: World) -> None:
    leave(world.org, MEMORIES, SUMS, rows=2)

    with transaction.atomic():
        fold_earlier()
        transaction.set_rollback(True)

    assert left() == [2, 2]
    assert not RunDelta.objects.exists()
    assert not Accuracy.objects.exists()


def test_a_batch_is_all_that_is_read(world: World) -> None:
    leave(world.org, MEMORIES, SUMS, rows=20_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_memorydelta, jobs_accuracydelta")

    assert_by_index(plan("fold_earlier", batch=500), most_rows=501)
    assert left() == [19_500, 19_500]
