"""Roll-ups: each attempt and each new job is in them once, whatever commits when, ends when, or is deleted since."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs import histograms
from jobs.errors import NotLeader
from jobs.histograms import Measure
from jobs.models import Attempt, Job, LeaderTerm, Lease, Rollup, RollupMark, Transition
from jobs.models.rollup import DAY, HOUR, MINUTE
from jobs.processes.leader import fenced
from jobs.queue import rollups
from jobs.queue.enqueue import NewJob, enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.rollups import RollUp, prune_rollups
from jobs.queue.upkeep import Prune
from jobs.states import Outcome
from orgs.models import Org
from tests.analytics.rows import make_term, roll_up
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import PastRun, claim_all, finish_one, make_dead_letter, make_done, make_job, make_runs

pytestmark = pytest.mark.django_db(transaction=True)

OUTCOMES = ("done", "error", "timeout", "crashed", "lost", "cancelled", "released")
SUMS = (*OUTCOMES, "retried", "dead", "created", "waited", "judged", "ranged", "in_range")
LATE = """
    INSERT INTO jobs_attempt (job_id, org_id, number, type, name, worker_id, worker_name, started_at, last_beat_at,
        ended_at, outcome, runtime_ms, predicted_ms, error_type, error, queue, queued_at, to_status)
    VALUES (%(job)s, %(org)s, 1, 'python', 'late', %(job)s, 'w', now(), now(), now(), 'done', 10, 10, '', '',
        'default', now(), 'done')
"""
Key = tuple[int, int, datetime, str, str, str]


def total(org: Org, seconds: int = DAY) -> Counter[str]:
    """Of all intervals of a length, over all of the organisation."""
    rows = Rollup.objects.filter(org_id=org.pk, seconds=seconds, type="").values(*SUMS)
    return sum((Counter(row) for row in rows), Counter())


def floor(at: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC)


def run_many(org: Org, count: int, rng: random.Random) -> None:
    """Jobs of several kinds and queues that waited, ran and ended in every way."""
    enqueue_many(
        [
            NewJob(type="python", payload={"task": rng.choice(["demo.add", "demo.fail_always"])}, queue=queue)
            for queue in rng.choices(["default", "mail"], k=count)
        ],
        org=org,
        user=None,
    )
    ended = []
    for claimed in [one for queue in ("default", "mail") for one in claim_all(queue, slots=count)]:
        low = rng.choice([None, rng.uniform(1, 500)])
        Lease.objects.filter(job_id=claimed.job_id).update(
            leased_at=Now() - timedelta(milliseconds=rng.lognormvariate(5, 3)),
            queued_at=Now() - timedelta(milliseconds=rng.lognormvariate(9, 4)),
            predicted_ms=rng.lognormvariate(5, 3),
            predicted_low_ms=low,
            predicted_high_ms=None if low is None else low * rng.uniform(1, 9),
        )
        ended.append(Ended(claimed, Outcome(rng.choice(OUTCOMES)), error_type="E", error="e"))
    finish(ended, worker_name="tester-1")


def expected() -> dict[Key, Counter[str]]:
    """The whole sums, from the rows themselves."""
    found: dict[Key, Counter[str]] = {}

    def add(org: int, at: datetime, *kind: str, **sums: int) -> None:
        for seconds in (MINUTE, HOUR, DAY):
            for place in (kind, ("", "", "")):
                found.setdefault((org, seconds, floor(at, seconds), *place), Counter()).update(sums)

    for one in Attempt.objects.all():
        judged = one.outcome in {"done", "error", "timeout"}
        ranged = judged and one.predicted_low_ms is not None
        failed = one.outcome in {"error", "timeout", "crashed", "lost"}
        sums: dict[str, int] = {
            one.outcome: 1, "waited": int(one.queued_at is not None), "judged": int(judged), "ranged": int(ranged),
            "in_range": int(ranged and one.predicted_low_ms <= one.runtime_ms <= (one.predicted_high_ms or 0)),
            "retried": int(failed and one.to_status in {"scheduled", "queued"}), "dead": int(one.to_status == "failed"),
        }  # fmt: skip
        add(one.org_id, one.ended_at, str(one.queue), one.type, one.name, **sums)
    for move in Transition.objects.filter(from_status=None):
        job = Job.objects.get(pk=move.job_id)
        add(move.org_id, move.at, move.queue, job.type, job.name, created=1)
    return found


def held() -> dict[Key, Counter[str]]:
    rows = Rollup.objects.values("org_id", "seconds", "at", "queue", "type", "name", *SUMS)
    return {
        (row["org_id"], row["seconds"], row["at"], row["queue"], row["type"], row["name"]): +Counter(
            {name: row[name] for name in SUMS}
        )
        for row in rows
    }


def test_every_sum_is_that_of_the_attempts_and_jobs_themselves(world: World) -> None:
    rng = random.Random(1)
    for _ in range(4):
        run_many(world.org, 40, rng)
        run_many(world.rival, 5, rng)
        roll_up(batch=rng.choice([7, 50, 1000]))

    assert held() == {key: +sums for key, sums in expected().items()}


def test_times_and_errors_are_in_the_bins_of_their_minute(world: World) -> None:
    run_many(world.org, 60, random.Random(2))
    roll_up()

    wanted: Counter[int] = Counter()
    for one in Attempt.objects.all():
        assert one.queued_at
        wanted[histograms.bin_of(Measure.WAIT, (one.started_at - one.queued_at) / timedelta(milliseconds=1))] += 1
        if one.outcome == "done":
            wanted[histograms.bin_of(Measure.RUN, one.runtime_ms)] += 1
            wanted[histograms.bin_of(Measure.PREDICTED, one.predicted_ms)] += 1
    rows = Rollup.objects.filter(org_id=world.org.pk, seconds=MINUTE).exclude(type="")
    found = histograms.total(dict(zip(row.bins, row.counts, strict=True)) for row in rows)

    errors = {one: found.pop(one) for one in list(found) if one // 1000 == Measure.ERROR}
    assert found == wanted
    assert sum(errors.values()) == Attempt.objects.filter(outcome__in=["done", "error", "timeout"]).count()
    (day,) = Rollup.objects.filter(org_id=world.org.pk, seconds=DAY, type="")
    assert dict(zip(day.bins, day.counts, strict=True)) == found | errors
    assert day.bins == sorted(day.bins)


def test_nothing_is_added_twice_by_a_second_call_or_by_another_leader(world: World) -> None:
    make_done(world.org)
    roll_up()
    before = held()

    roll_up()
    RollUp()()

    assert held() == before
    assert total(world.org)["done"] == 1


def test_what_is_rolled_back_is_added_later_and_once(world: World) -> None:
    roll_up()
    make_done(world.org)
    one = RollUp()
    with transaction.atomic():
        eventually(lambda: not one() and total(world.org)["done"] == 1)
        transaction.set_rollback(True)
    assert not total(world.org)

    roll_up()

    assert (total(world.org)["done"], total(world.org)["created"]) == (1, 1)


def test_a_closed_term_adds_nothing_and_the_next_one_all(world: World) -> None:
    roll_up()
    old = make_term(1)
    make_done(world.org)
    LeaderTerm.objects.update(ended_at=timezone.now())
    new = make_term(1)

    with pytest.raises(NotLeader), fenced(old.epoch):
        RollUp()()
    assert not total(world.org)

    with fenced(new.epoch):
        RollUp()()
    assert total(world.org)["done"] == 1


def test_of_two_that_begin_at_one_mark_only_one_adds(world: World) -> None:
    """Without a fence even: the mark goes on only from where it was read."""
    roll_up()
    make_done(world.org)
    was = rollups.place()
    assert was is not None
    RollUp()()
    again = rollups.place()
    assert again is not None

    rollups.add(was, again)

    assert total(world.org)["done"] == 1


@contextmanager
def uncommitted(org: Org) -> Iterator[psycopg.Connection]:
    """Another session that has ended an attempt, for the test to commit."""
    with elsewhere() as session:
        session.execute(LATE, {"org": org.pk, "job": uuid4()})
        yield session


def test_an_attempt_that_commits_after_later_ones_is_waited_for(world: World) -> None:
    roll_up()
    one = RollUp()
    with uncommitted(world.org) as late:
        make_done(world.org)
        one()
        one()
        assert not total(world.org)["done"]

        late.execute("COMMIT")
        one()

    assert total(world.org)["done"] == 2


def test_writers_that_come_later_hold_nothing_up(world: World) -> None:
    roll_up()
    one = RollUp()
    with uncommitted(world.org) as late:
        make_done(world.org)
        one()
        with uncommitted(world.org):
            late.execute("COMMIT")
            eventually(lambda: not one() and total(world.org)["done"] == 2)


def test_one_that_writes_while_it_begins_is_not_lost(world: World) -> None:
    with uncommitted(world.org) as late:
        make_done(world.org)
        one = RollUp()
        assert not one()
        assert not RollupMark.objects.exists()
        late.execute("COMMIT")
        while one():
            pass

    assert total(world.org)["done"] == 2


def test_a_late_end_goes_to_its_own_minute_however_long_ago(world: World) -> None:
    roll_up()
    with elsewhere() as session:
        session.execute(LATE.replace("now()", "now() - interval '5 hours'"), {"org": world.org.pk, "job": uuid4()})
        session.execute("COMMIT")
    roll_up()

    (row,) = Rollup.objects.filter(org_id=world.org.pk, seconds=MINUTE, type="")
    assert timedelta(hours=4, minutes=58) < timezone.now() - row.at < timedelta(hours=5, minutes=2)


def test_what_was_there_before_is_added_backwards_in_steps(world: World) -> None:
    make_runs(world.org, [PastRun(100.0)] * 20)
    Attempt.objects.filter(pk__in=Attempt.objects.order_by("pk")[:5]).delete()
    one = RollUp()
    assert one(batch=4)
    newest = Attempt.objects.latest("pk").pk

    assert one(batch=4)
    assert total(world.org)["done"] == 4
    make_done(world.org)
    while one(batch=4):
        pass

    assert total(world.org) == {"done": 16, "created": 1, "waited": 16, "judged": 16}
    mark = RollupMark.objects.get()
    assert (mark.attempts_left, mark.moves_left) == (0, 0)
    assert mark.attempt_id > newest
    # of a version before: where it ran is known by its job
    assert set(Rollup.objects.exclude(type="").values_list("queue", flat=True)) == {"default"}


def test_ids_long_gone_are_passed_at_once(world: World) -> None:
    make_runs(world.org, [PastRun(100.0)])
    roll_up()
    RollupMark.objects.update(attempts_left=10**12, moves_left=10**12)

    one, calls = RollUp(), 1
    while one(batch=10**6):
        calls += 1

    assert calls < 5


def test_dead_letters_and_retries_are_told_apart(world: World) -> None:
    make_dead_letter(world.org)
    make_job(world.org, max_attempts=3)
    (claimed,) = claim_all()
    finish_one(claimed, Outcome.ERROR)
    roll_up()

    found = total(world.org)
    assert (found["error"], found["dead"], found["retried"]) == (2, 1, 1)


def test_what_retention_deletes_stays_in_the_sums(world: World, settings: Settings) -> None:
    make_done(world.org)
    make_dead_letter(world.org)
    roll_up()
    before = held()
    settings.RETENTION_DAYS = settings.DEAD_LETTER_RETENTION_DAYS = 0
    Job.objects.update(finished_at=timezone.now() - timedelta(days=1))
    prune = Prune()
    prune()
    assert not Attempt.objects.exists()

    make_job(world.org)
    roll_up()

    assert all(sums <= held()[key] for key, sums in before.items())
    assert total(world.org)["done"] == 1
    assert total(world.org)["dead"] == 1
    assert total(world.org)["created"] == 3


def test_each_length_is_forgotten_after_its_time(world: World, settings: Settings) -> None:
    make_done(world.org)
    roll_up()
    (day,) = Rollup.objects.filter(seconds=DAY, type="")
    minute = Rollup.objects.filter(seconds=MINUTE)
    minute.update(at=timezone.now() - timedelta(days=settings.ROLLUP_MINUTE_DAYS, seconds=5))
    Rollup.objects.filter(seconds=HOUR).update(at=timezone.now() - timedelta(days=settings.ROLLUP_HOUR_DAYS - 1))

    assert prune_rollups(batch=1)
    prune_rollups()

    assert not minute.exists()
    assert Rollup.objects.filter(seconds=HOUR).count() == 2
    assert Rollup.objects.filter(pk=day.pk).exists()


def test_an_old_run_is_not_added_to_minutes_that_would_be_forgotten_at_once(world: World) -> None:
    make_runs(world.org, [PastRun(100.0)])
    Attempt.objects.update(ended_at=timezone.now() - timedelta(days=10))
    roll_up()

    assert set(Rollup.objects.values_list("seconds", flat=True)) == {HOUR, DAY}


def test_kinds_beyond_what_a_day_has_go_together_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "KINDS", 3)
    roll_up()
    for name in ("a", "b", "c"):
        make_runs(world.org, [PastRun(100.0, name=name)] * 2)
        roll_up()
    make_runs(world.org, [PastRun(100.0, name=f"n{number}") for number in range(20)] + [PastRun(100.0, name="a")])
    roll_up()

    day = Rollup.objects.filter(org_id=world.org.pk, seconds=DAY).exclude(type="")
    counted: Counter[str] = Counter()
    for row in day:
        counted[row.name] += row.done
    # where the runs lie on both sides of midnight, each day has its own
    assert counted["a"] == 3
    assert counted.total() == 27
    assert max(Counter(day.values_list("at", flat=True)).values()) <= 4
    assert total(world.org)["done"] == 27


def test_another_organisation_is_summed_by_itself(world: World) -> None:
    make_done(world.org)
    make_dead_letter(world.rival)
    roll_up()

    assert (total(world.org)["done"], total(world.org)["dead"]) == (1, 0)
    assert (total(world.rival)["done"], total(world.rival)["dead"]) == (0, 1)


def test_the_statement_has_the_bins_of_the_code(world: World) -> None:
    """Over the whole range, and beyond it."""
    values = [0.0, -1.0, 0.01, 0.3, 1.0, 1.5, 7.0, 59.9, 1e3, 6.048e8, 1e15]
    for value in values:
        make_runs(world.org, [PastRun(100.0)])
        Attempt.objects.filter(pk=Attempt.objects.latest("pk").pk).update(runtime_ms=value, ended_at=Now())
    roll_up()

    (day,) = Rollup.objects.filter(org_id=world.org.pk, seconds=DAY, type="")
    found = histograms.of(dict(zip(day.bins, day.counts, strict=True)), Measure.RUN)
    assert found == Counter(histograms.bin_of(Measure.RUN, value) for value in values)


def test_ids_that_nothing_has_are_passed_at_once_ahead_too(world: World) -> None:
    roll_up()
    with connection.cursor() as cursor:
        for table in ("jobs_attempt", "jobs_transition"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000000000000)")
    make_done(world.org)

    one, calls = RollUp(), 1
    while one(batch=10):
        calls += 1

    assert (total(world.org)["done"], total(world.org)["created"]) == (1, 1)
    assert calls < 5
