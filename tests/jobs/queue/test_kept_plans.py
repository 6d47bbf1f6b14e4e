"""What a session planned while the tables were empty, and keeps for as long as it lasts."""

from collections.abc import Iterator

import pytest
from django.db import connection

from jobs.models import Job
from tests.conftest import World
from tests.jobs.queue.plans import MANY, MOVES, clear

pytestmark = pytest.mark.django_db(transaction=True)

# More than PostgreSQL plans for their values alone.
OFTEN, BULK = 8, 1_000
SCANS = "SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'jobs_job'"


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    clear()


def test_the_count_of_moves_looks_each_job_up_though_there_were_none_when_it_was_planned(world: World) -> None:
    with connection.cursor() as cursor:
        clear()
        cursor.execute("VACUUM ANALYZE jobs_job")
        for day in range(OFTEN):
            cursor.execute(MANY, {"org_id": world.org.pk, "status": "queued", "jobs": 1, "days": day})
            cursor.execute(MOVES)
        assert Job.objects.count() == OFTEN

        cursor.execute("BEGIN")
        cursor.execute(MANY, {"org_id": world.org.pk, "status": "queued", "jobs": BULK, "days": 100})
        cursor.execute(MOVES)
        cursor.execute(SCANS)
        (scans,) = cursor.fetchone()
        cursor.execute("ROLLBACK")

    # that of MOVES itself, and no more for each job
    assert scans < BULK / 10
