"""The leader follows moves and attempts by their numbers, and passes none, whatever order they are committed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from jobs.models import Attempt, ErrorCount, ErrorGroup, Follower, Job, SearchEntry, SearchFacet, Transition
from jobs.queue import sql
from jobs.queue.upkeep import Prune
from jobs.search.index import count_errors, index_jobs
from jobs.states import Outcome
from orgs.models import Org
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import claim_all, finish_one, make_job

pytestmark = pytest.mark.django_db(transaction=True)

MOVE = """
    INSERT INTO jobs_transition (org_id, job_id, queue, from_status, to_status, attempt, actor, reason, at)
    VALUES (%s, %s, 'default', 'scheduled', 'queued', 0, 'tester', '', now())
"""


def lead(times: int = 0) -> None:
    """So often, or as often as it takes for what is committed to be followed: every transaction of the server, also of
    other databases, that began before must have ended."""
    for _ in range(times):
        look()
    if not times:
        eventually(caught_up, within_seconds=60)


def look() -> None:
    with transaction.atomic():
        index_jobs()
    with transaction.atomic():
        count_errors()


def caught_up() -> bool:
    look()
    done = dict(Follower.objects.values_list("name", "done_id"))
    newest = {"jobs": Transition.objects.order_by("pk").last(), "errors": Attempt.objects.order_by("pk").last()}
    return all(row is None or done.get(name, 0) >= row.pk for name, row in newest.items())


def found() -> set[Any]:
    return set(SearchEntry.objects.values_list("job_id", flat=True))


def test_jobs_have_words_some_seconds_after_they_move(world: World) -> None:
    job = make_job(world.org, tags=["eu"])
    lead()
    assert found() == {job.pk}
    before = SearchEntry.objects.get().words
    follower = Follower.objects.get(name="jobs")
    assert follower.done_at is not None
    assert follower.done_at > job.created_at

    (claimed,) = claim_all()
    finish_one(claimed)
    lead()

    assert SearchEntry.objects.get().words != before
    assert ("tag", "eu") in SearchFacet.objects.values_list("kind", "value")


@contextmanager
def another_session() -> Iterator[psycopg.Connection[Any]]:
    parameters = connection.get_connection_params()
    kept = {name: value for name, value in parameters.items() if name in ("dbname", "user", "host", "port", "password")}
    with psycopg.connect(**kept) as session:
        yield session


def test_a_move_that_is_committed_late_is_not_passed(world: World) -> None:
    late = make_job(world.org)
    lead()
    SearchEntry.objects.all().delete()
    with another_session() as session:
        # numbered, and not yet committed
        session.execute(MOVE, [world.org.pk, late.pk])
        early = make_job(world.org)
        lead(8)
        assert found() == set()
        session.commit()
    lead()

    assert found() == {late.pk, early.pk}


def test_a_rush_is_done_bit_by_bit(world: World, settings: Any) -> None:
    settings.SEARCH_INDEX_SECONDS = 0
    jobs = [make_job(world.org, delay_seconds=60) for _ in range(5)]
    lead()
    SearchEntry.objects.all().delete()
    Follower.objects.filter(name="jobs").update(done_id=0)

    seen = []
    for _ in range(3):
        index_jobs(batch=2)
        seen.append((SearchEntry.objects.count(), Follower.objects.get(name="jobs").done_at))

    assert [rows for rows, _ in seen] == [2, 4, 5]
    assert seen[0][1] < jobs[2].created_at < seen[2][1]


def fail(org: Org, error: str, **fields: Any) -> Job:
    job = make_job(org, **fields)
    (claimed,) = claim_all(job.queue)
    assert finish_one(claimed, Outcome.ERROR, error_type="LookupError", error=error, permanent=True)
    job.refresh_from_db()
    return job


def test_errors_that_say_the_same_are_counted_together_once(world: World) -> None:
    first = fail(world.org, "no row 4")
    fail(world.org, "no row 17", queue="other")
    lead()
    last = fail(world.org, "no row 5")
    fail(world.org, "no column 5")
    fail(world.rival, "no row 5")
    lead()

    groups = ErrorGroup.objects.filter(org_id=world.org.pk).order_by("-attempts")
    assert [(one.attempts, one.sample) for one in groups] == [(3, "no row 5"), (1, "no column 5")]
    assert (groups[0].last_job_id, groups[0].first_at) == (last.pk, first.finished_at)
    counts = ErrorCount.objects.filter(org_id=world.org.pk, fingerprint=groups[0].fingerprint)
    assert sorted(counts.values_list("queue", "attempts")) == [("default", 2), ("other", 1)]
    assert ErrorGroup.objects.filter(org_id=world.rival.pk).count() == 1


def test_what_is_old_goes(world: World, settings: Any) -> None:
    fail(world.org, "no row 4")
    lead()
    with connection.cursor() as cursor:
        for table, column in (("errorgroup", "last_at"), ("errorcount", "hour"), ("searchfacet", "seen_at")):
            cursor.execute(f"UPDATE jobs_{table} SET {column} = {column} - interval '1000 days'")  # noqa: S608
        cursor.execute(
            "UPDATE jobs_job SET finished_at = finished_at - interval '1000 days',"
            " id = '01000000-0000-7000-8000-000000000000'"
        )
        cursor.execute("UPDATE jobs_searchentry SET job_id = '01000000-0000-7000-8000-000000000000'")

    prune = Prune()
    with transaction.atomic():
        prune()
    with transaction.atomic():
        prune()

    assert not any(model.objects.exists() for model in (Job, SearchEntry, ErrorGroup, ErrorCount, SearchFacet))


def test_a_job_that_is_gone_is_not_given_words(world: World) -> None:
    job = make_job(world.org)
    gone = sql.run("search_documents", job_ids=[job.pk], characters=10)
    assert gone
    Job.objects.all().delete()
    lead()

    assert found() == set()
