"""What the leader makes of schedules: each time once, whoever leads, and what becomes of times that were missed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from jobs.models import Job, Schedule, ScheduleTick, Transition
from jobs.queue import sql
from jobs.queue.fire import FIRE_BATCH, MOST_TIMES, fire
from orgs.models import Org
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import make_org
from tests.jobs.queue.plans import assert_by_index, plan

pytestmark = pytest.mark.django_db

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
EPOCH = 7


def make_schedule(org: Org, name: str = "s", *, due: timedelta = timedelta(), **fields: Any) -> Schedule:
    """Due so long ago."""
    schedule = Schedule.objects.create(org=org, name=name, **{"cron": "* * * * *", "job": ADD, **fields})
    Schedule.objects.filter(pk=schedule.pk).update(next_at=Now() - due)
    schedule.refresh_from_db()
    return schedule


def minutes_ago(minutes: float) -> timedelta:
    return timedelta(minutes=minutes)


def ticks(schedule: Schedule) -> list[tuple[datetime, str]]:
    return list(schedule.ticks.order_by("at").values_list("at", "outcome"))


def outcomes(schedule: Schedule) -> list[str]:
    return [outcome for _, outcome in ticks(schedule)]


def now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
        return found


def test_what_is_due_is_submitted_and_is_next_due_in_the_future(world: World) -> None:
    schedule = make_schedule(world.org, job={**ADD, "queue": "reports", "urgency": "high", "max_attempts": 2})
    other = make_schedule(world.rival, due=-timedelta(hours=1))
    due = schedule.next_at

    assert fire(EPOCH) is False

    (job,) = Job.objects.all()
    assert (job.org_id, job.queue, job.urgency, job.max_attempts, job.status) == (
        world.org.pk,
        "reports",
        "high",
        2,
        "queued",
    )
    (tick,) = ScheduleTick.objects.all()
    assert (tick.schedule_id, tick.outcome, tick.job_id, tick.epoch) == (schedule.pk, "fired", job.pk, EPOCH)
    # the minute that it was due in, by the expression
    assert tick.at == job.run_at
    assert due is not None
    assert abs(tick.at - due) <= timedelta(minutes=1)
    schedule.refresh_from_db()
    assert schedule.next_at is not None
    assert timedelta(0) < schedule.next_at - now() <= timedelta(minutes=1)
    assert (schedule.last_at, schedule.last_error, schedule.version) == (tick.at, "", 1)
    assert Transition.objects.get(job_id=job.pk).actor == "schedule:s"
    other.refresh_from_db()
    assert other.last_at is None


def test_it_is_not_submitted_again_for_the_same_time(world: World) -> None:
    schedule = make_schedule(world.org)

    fire(EPOCH)
    fire(EPOCH + 1)

    assert Job.objects.count() == 1
    # Were the next time lost, say by a restore of a part: the database itself allows no second.
    Schedule.objects.filter(pk=schedule.pk).update(next_at=ScheduleTick.objects.get().at)
    with pytest.raises(IntegrityError, match="schedule_tick_once"), transaction.atomic():
        fire(EPOCH + 2)
    assert Job.objects.count() == 1


def test_a_paused_one_is_never_due(world: World) -> None:
    schedule = make_schedule(world.org)
    with pytest.raises(IntegrityError, match="schedule_paused_is_not_due"), transaction.atomic():
        Schedule.objects.filter(pk=schedule.pk).update(is_paused=True)
    Schedule.objects.filter(pk=schedule.pk).update(is_paused=True, next_at=None)

    fire(EPOCH)

    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("missed", "fired"),
    [("skip", 0), ("once", 1), ("all", 10)],
)
def test_times_that_were_missed(world: World, settings: Any, missed: str, fired: int) -> None:
    """Nobody led for ten minutes, and the last time was over a minute ago."""
    settings.SCHEDULE_GRACE_SECONDS = 0
    schedule = make_schedule(world.org, due=minutes_ago(10), missed=missed)
    assert schedule.next_at is not None
    start = schedule.next_at.replace(second=0, microsecond=0) + timedelta(seconds=1)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=start)

    fire(EPOCH)

    times = ticks(schedule)
    assert len(times) in (10, 11)  # a minute may have begun meanwhile
    assert outcomes(schedule).count("fired") == (len(times) if missed == "all" else fired)
    if missed == "once":
        assert times[-1][1] == "fired"
    assert Job.objects.count() == outcomes(schedule).count("fired")
    assert [at for at, _ in times] == [times[0][0] + minutes_ago(number) for number in range(len(times))]


def test_a_time_a_moment_ago_was_not_missed(world: World) -> None:
    schedule = make_schedule(world.org, missed="skip", due=timedelta(seconds=50))

    fire(EPOCH)

    assert set(outcomes(schedule)) == {"fired"}


def test_only_so_many_are_made_up_for(world: World) -> None:
    schedule = make_schedule(world.org, missed="all", due=timedelta(days=30))

    fire(EPOCH)

    assert outcomes(schedule) == ["fired"] * MOST_TIMES
    assert ticks(schedule)[-1][0] > now() - timedelta(minutes=2)


def test_one_whose_job_is_refused_says_so_and_goes_on(world: World) -> None:
    wrong = make_schedule(world.org, "wrong", job={"type": "python", "payload": {"task": "was.removed"}})
    broken = make_schedule(world.org, "broken", job={"type": "python", "payload": {}, "no_such_field": 1})
    nowhere = make_schedule(world.org, "nowhere", timezone="Mars/Olympus")
    good = make_schedule(world.org, "good")

    fire(EPOCH)

    for schedule in (wrong, broken, nowhere, good):
        schedule.refresh_from_db()
    assert [outcomes(schedule) for schedule in (wrong, broken, nowhere, good)] == [
        ["refused"], ["refused"], [], ["fired"],
    ]  # fmt: skip
    assert "was.removed" in wrong.last_error
    assert "no_such_field" in broken.last_error
    assert "Mars" in nowhere.last_error
    assert wrong.next_at is not None
    assert broken.next_at is not None
    assert nowhere.next_at is None  # until a person mends it
    assert Job.objects.count() == 1


def test_many_are_taken_in_bounded_batches(world: World) -> None:
    Schedule.objects.bulk_create(
        Schedule(org=world.org, name=f"s{number}", cron="0 * * * *", job=ADD) for number in range(FIRE_BATCH + 5)
    )
    Schedule.objects.update(next_at=Now() - timedelta(seconds=1))

    assert fire(EPOCH) is True
    assert fire(EPOCH) is False

    assert Job.objects.count() == FIRE_BATCH + 5


@pytest.mark.django_db(transaction=True)
def test_two_leaders_at_once_submit_it_once() -> None:
    org = make_org("acme")
    schedules = [make_schedule(org, f"s{number}") for number in range(20)]

    def lead() -> None:
        with transaction.atomic():
            fire(EPOCH)

    assert at_once(lead, lead, lead, lead) == [None] * 4

    assert Job.objects.count() == len(schedules)
    assert ScheduleTick.objects.filter(outcome="fired").count() == len(schedules)


def test_old_times_are_forgotten(world: World) -> None:
    schedule = make_schedule(world.org)
    fire(EPOCH)
    old = ScheduleTick.objects.create(
        schedule=schedule,
        at=datetime(2020, 1, 1, tzinfo=UTC),
        outcome="missed",
        fired_at=datetime(2020, 1, 1, tzinfo=UTC),
        epoch=1,
    )

    sql.run("prune_ticks", days=30)

    assert not ScheduleTick.objects.filter(pk=old.pk).exists()
    assert ScheduleTick.objects.count() == 1


def test_what_is_due_is_found_among_many_that_are_not(world: World) -> None:
    Schedule.objects.bulk_create(
        [Schedule(org=world.org, name=f"s{number}", cron="0 0 * * *", job=ADD) for number in range(20_000)],
        batch_size=5_000,
    )
    Schedule.objects.update(next_at=Now() + timedelta(days=1))
    Schedule.objects.filter(name__in=["s1", "s2"]).update(next_at=F("next_at") - timedelta(days=2))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_schedule")

    found = plan("due_schedules", batch=200)

    assert_by_index(found, most_rows=2)
    assert "jobs_schedule" not in {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
