"""Fair shares between organisations: start tags of what comes in, kept by the leader, told by claims."""

import math
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from jobs.models import Attempt, Job, Queue, QueueShare, Ready, WorkerProcess
from jobs.queue import shares, sql
from jobs.queue.claim import Claimed
from jobs.queue.control import replay_many
from jobs.queue.enqueue import Enqueued, enqueue_many
from jobs.queue.keep_order import keep_backlog, keep_shares
from jobs.queue.promote import promote
from jobs.queue.release import release
from jobs.queue.shares import MANY, MEAN_JOBS, Share, share_of, untuned
from jobs.ranking import Tuning, shrunk
from jobs.states import Outcome
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.concurrency import elsewhere
from tests.conftest import World
from tests.factories import WORKER, claim_all, finish_one, make_dead_letter, make_done, make_job, make_org
from tests.jobs.queue.acts import new_job
from tests.jobs.queue.whole import make_due

pytestmark = pytest.mark.django_db

# What is predicted of each job, in seconds: so that most leads are above the least.
COST = 20.0
LEAST = 1.0


@pytest.fixture(autouse=True)
def predicted(settings: Settings) -> None:
    settings.DEFAULT_PREDICTED_MS = COST * 1000


def flood(org: Org, jobs: int, **fields: Any) -> None:
    enqueue_many([new_job(**fields)] * jobs, org=org, user=None)


def leads(org: Org) -> list[float]:
    """Of its jobs in the order they came, as they were ranked: all are usual ones, so none is stretched."""
    return list(Job.objects.for_org(org).order_by("id").values_list("rank_offset", flat=True))


def serve(slots: int, queue: str = "default") -> None:
    WorkerProcess.objects.create(
        id=WORKER, kind="worker", hostname="h", pid=1, version="1", slots=slots, queues=[queue], types=["python"],
        started_at=Now(), beat_at=Now(),
    )  # fmt: skip


def take(slots: int) -> list[Claimed]:
    """By a real claim, and done at once."""
    taken = claim_all(slots=slots)
    for one in taken:
        finish_one(one)
    return taken


# --- what comes in --------------------------------------------------------------------------------------------------


def test_a_burst_is_spread_by_what_its_share_does(world: World) -> None:
    flood(world.org, 4)

    rate = untuned().rate
    assert leads(world.org) == pytest.approx([LEAST, *(number * COST / rate for number in range(1, 4))], abs=0.01)


def test_bursts_follow_each_other_and_queues_do_not(world: World) -> None:
    flood(world.org, 3)
    flood(world.org, 1)
    flood(world.org, 1, queue="other")

    assert leads(world.org)[3:] == pytest.approx([3 * COST / untuned().rate, LEAST], abs=0.05)


def test_the_rank_is_the_time_of_queueing_with_lead_and_offset(world: World) -> None:
    flood(world.org, 3)

    ranks = dict(Ready.objects.values_list("job_id", "rank"))
    for job in Job.objects.all():
        assert job.queued_at is not None
        assert ranks[job.pk] == pytest.approx(job.queued_at.timestamp() + job.share_offset + job.rank_offset, abs=1e-4)


def test_what_is_due_later_is_not_counted_yet(world: World) -> None:
    flood(world.org, 3, delay_seconds=60.0)
    flood(world.org, 1)

    assert leads(world.org) == pytest.approx([LEAST] * 4)


def test_a_delay_of_nothing_is_no_way_around_the_share(world: World) -> None:
    flood(world.org, 2, delay_seconds=0.0)

    assert leads(world.org)[1] > LEAST


@pytest.mark.django_db(transaction=True)
def test_another_process_takes_over_what_a_great_call_has_put_in() -> None:
    org = make_org()
    flood(org, MANY)

    there = Share(org.pk, "default")  # as another process makes it

    assert there.lead() == pytest.approx(MANY * COST / untuned().rate, abs=0.5)


@pytest.mark.django_db(transaction=True)
def test_great_calls_of_two_processes_follow_each_other() -> None:
    org = make_org()
    here, there = Share(org.pk, "default"), Share(org.pk, "default")
    first = here.take([COST * 1000] * MANY, 0.0)

    assert there.take([COST * 1000] * MANY, 0.0) == pytest.approx(first + MANY * COST / untuned().rate, abs=0.5)


@pytest.mark.django_db(transaction=True)
def test_a_light_organisation_writes_nothing() -> None:
    org = make_org()
    for _ in range(3):
        make_job(org)
        share_of(org.pk, "default")._lead_until = 0.0  # the time for it has passed

    assert not QueueShare.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_that_is_ahead_is_told_of_after_the_commit_and_not_within() -> None:
    org = make_org()
    with transaction.atomic():
        flood(org, MANY + 1)
        assert not QueueShare.objects.exists()

    assert QueueShare.objects.get().lead_until > Job.objects.latest("id").created_at


@pytest.mark.django_db(transaction=True)
def test_a_share_that_another_holds_is_not_waited_for() -> None:
    org = make_org()
    flood(org, MANY)
    with elsewhere() as other:
        other.execute("SELECT FROM jobs_queueshare FOR UPDATE")
        flood(org, MANY)
    until = QueueShare.objects.get().lead_until
    flood(org, MANY)

    more = (QueueShare.objects.get().lead_until - until).total_seconds()
    assert more == pytest.approx(2 * MANY * COST / untuned().rate, abs=0.5)
    assert leads(org) == sorted(leads(org))


def test_a_submit_lives_without_the_share(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = sql.numbered
    monkeypatch.setattr(
        sql, "numbered", lambda name: (b"SELECT 1 / 0", []) if name in ("share", "add_share") else numbered(name)
    )

    flood(world.org, 2)

    assert Ready.objects.count() == 2


# --- together -------------------------------------------------------------------------------------------------------


def test_jobs_that_become_due_together_are_spread_behind_what_is_there(world: World) -> None:
    flood(world.org, 4, delay_seconds=60.0)
    flood(world.rival, 1, delay_seconds=60.0)
    make_due()

    promote()
    found = sorted(leads(world.org)), leads(world.rival)

    step = COST / untuned().rate
    assert found[0] == pytest.approx([LEAST, step, 2 * step, 3 * step], abs=0.01)
    assert found[1] == pytest.approx([LEAST])
    share = QueueShare.objects.get(org_id=world.org.pk)
    assert (share.lead_until - Job.objects.latest("queued_at").queued_at).total_seconds() == pytest.approx(  # type: ignore[operator]
        4 * step, abs=0.05
    )


def test_a_second_promotion_comes_behind_the_first(world: World, settings: Settings) -> None:
    settings.PROMOTE_BATCH = 2
    flood(world.org, 4, delay_seconds=60.0)
    make_due()

    promote()
    promote()

    assert sorted(leads(world.org))[3] == pytest.approx(3 * COST / untuned().rate, abs=0.05)


def test_replayed_dead_letters_are_spread_too(world: World) -> None:
    dead = [make_dead_letter(world.org).pk for _ in range(3)]
    Job.objects.update(predicted_ms=COST * 1000, stretch=1)

    replay_many(dead, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))

    found = sorted(leads(world.org))
    assert found[2] - found[1] == pytest.approx(COST / untuned().rate, abs=0.01)


def test_what_waited_for_one_job_is_spread_when_it_ends(world: World) -> None:
    parent = make_job(world.org)
    flood(world.org, 3, after=[parent.pk])
    (claimed,) = claim_all()

    finish_one(claimed)
    release()
    from_children = sorted(Job.objects.exclude(pk=parent.pk).values_list("rank_offset", flat=True))

    assert from_children[2] - from_children[1] == pytest.approx(COST / untuned().rate, abs=0.01)


def test_what_a_worker_gives_back_keeps_its_rank(world: World) -> None:
    flood(world.org, 3)
    ranks = dict(Ready.objects.values_list("job_id", "rank"))
    *_, last = claim_all()

    finish_one(last, Outcome.RELEASED)

    job = Job.objects.get(pk=last.job_id)
    assert job.queued_at is not None
    assert Ready.objects.get().rank == pytest.approx(ranks[job.pk], abs=1e-4)
    assert job.queued_at.timestamp() + job.share_offset + job.rank_offset == pytest.approx(ranks[job.pk], abs=1e-4)


# --- the leader -----------------------------------------------------------------------------------------------------


def share(org: Org) -> QueueShare:
    return QueueShare.objects.get(org_id=org.pk, queue="default")


def make_share(org: Org, **fields: Any) -> QueueShare:
    tuning = untuned()
    mean = math.log(tuning.typical_ms)
    about: dict[str, Any] = {
        "queue": "default", "lead_until": Now() + timedelta(hours=1), "rate": tuning.rate, "mean_log_ms": mean,
        "mean_square": mean**2 + tuning.spread**2, "jobs": 500, "looked_at": Now(),
    }  # fmt: skip
    return QueueShare.objects.create(org_id=org.pk, **{**about, **fields})


def lead_of(org: Org) -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT date_part('epoch', lead_until - clock_timestamp()) FROM jobs_queueshare WHERE org_id = %s", [org.pk]
        )
        return float(cursor.fetchone()[0])


def test_the_lead_is_set_to_what_is_truly_outstanding(world: World) -> None:
    serve(slots=4)
    make_share(world.org)
    flood(world.org, 10)

    keep_shares()

    assert share(world.org).rate == 4
    assert lead_of(world.org) == pytest.approx(10 * COST / 4, abs=0.1)


def test_nothing_is_left_of_a_lead_when_nothing_waits(world: World) -> None:
    make_share(world.org)

    keep_shares()

    assert lead_of(world.org) <= 0


def test_the_rate_is_the_part_of_the_weights_of_those_who_have_work(world: World) -> None:
    serve(slots=8)
    Org.objects.filter(pk=world.org.pk).update(weight=3)
    for org in (world.org, world.rival):
        make_share(org)
        flood(org, 2)
    make_share(make_org("idle"))

    keep_shares()

    assert (share(world.org).rate, share(world.rival).rate) == (6, 2)


@pytest.mark.parametrize(("times", "counts_as"), [(3.0, 3.0), (0.25, 0.25), (1e6, 16.0), (0.0, 0.25)])
def test_what_runs_longer_than_predicted_is_more_work(world: World, times: float, counts_as: float) -> None:
    serve(slots=1)
    make_share(world.org)
    make_done(world.org)
    Attempt.objects.update(predicted_ms=1000, runtime_ms=1000 * times)
    flood(world.org, 4)
    Ready.objects.update(predicted_ms=COST * 1000)

    keep_shares()

    assert lead_of(world.org) == pytest.approx(4 * COST * counts_as, rel=0.02)


def submitted(org: Org, *milliseconds: float, times: int) -> None:
    there = Share(org.pk, "default")
    for ms in milliseconds:
        there.note([ms] * times)
    there.tell()


def tuning_now(org: Org) -> Tuning:
    there = Share(org.pk, "default")
    there.lead()
    return there.tuning


def test_what_is_usual_is_learned_from_what_comes_in(world: World) -> None:
    submitted(world.org, 100.0, 10_000.0, times=50)

    tuning = tuning_now(world.org)
    assert tuning.typical_ms == pytest.approx(1000)
    assert tuning.spread**2 == pytest.approx(shrunk(math.log(10) ** 2, 1.0, 100))


def test_with_few_jobs_an_organisation_is_taken_for_a_usual_one(world: World) -> None:
    flood(world.rival, 1)
    submitted(world.rival, 100.0, 10_000.0, times=200)
    keep_backlog()
    usual, spread = math.log(1000), math.log(10)

    assert tuning_now(world.org) == pytest.approx(tuning_now(world.rival), rel=0.02)

    submitted(world.org, 8_000_000.0, times=20)
    half_way = tuning_now(world.org)
    assert math.log(half_way.typical_ms) == pytest.approx((usual + math.log(8_000_000)) / 2, rel=0.01)
    assert half_way.spread**2 == pytest.approx(spread**2 / 2, rel=0.02)


def test_a_flood_makes_no_more_of_the_usual_than_its_means_are_made_of(world: World) -> None:
    flood(world.rival, 1)
    submitted(world.rival, 1.0, times=100 * MEAN_JOBS)
    submitted(world.org, 1_000_000.0, times=MEAN_JOBS)
    keep_backlog()

    assert math.log(tuning_now(make_org("third")).typical_ms) == pytest.approx(math.log(1000), rel=0.01)


def test_limited_jobs_are_counted_as_usual_ones(world: World) -> None:
    """They wait in an index of their own, which is not read."""
    serve(slots=1)
    make_share(world.org, mean_log_ms=math.log(3000))
    flood(world.org, 5)
    Ready.objects.update(limit_key="")

    keep_shares()

    assert lead_of(world.org) == pytest.approx(5 * 3, abs=0.1)


# --- what it is for -------------------------------------------------------------------------------------------------


def test_ten_thousand_jobs_of_one_do_not_keep_the_other_waiting(world: World) -> None:
    """Each job of the light organisation is claimed after one of the other at most, whenever it comes; also where
    workers were away."""
    serve(slots=5)
    for _ in range(10):
        flood(world.org, 1000)

    for minutes in (1, 1, 60, 1):
        keep_shares()
        take(16)  # what five slots do in a minute, and a little
        passing(minutes)
        keep_backlog()
        job = make_job(world.rival)
        assert job.pk in [one.job_id for one in take(2)]
    assert Ready.objects.filter(org_id=world.org.pk).count() > 9000


def passing(minutes: int) -> None:
    """As if all that is there had come so much earlier."""
    Ready.objects.update(rank=F("rank") - minutes * 60)
    QueueShare.objects.update(lead_until=F("lead_until") - timedelta(minutes=minutes))
    shares._shares.clear()  # the clock that this process counts by cannot be moved


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_two_that_flood_are_served_by_their_weights(world: World, weight: float) -> None:
    """By the predicted seconds of what real claims take."""
    serve(slots=4)
    Org.objects.filter(pk=world.org.pk).update(weight=weight)
    for org in (world.org, world.rival):
        make_share(org, lead_until=Now())
    for _ in range(8):
        for org in (world.org, world.rival):
            flood(org, 50)
        keep_shares()

    served: Counter[int] = Counter()
    for _ in range(20):
        for one in take(10):
            served[one.org_id] += 1

    assert served[world.org.pk] / served[world.rival.pk] == pytest.approx(weight, rel=0.25)


@pytest.mark.django_db(transaction=True)
def test_fifo_is_by_the_time_of_queueing_whatever_is_predicted() -> None:
    org = make_org()
    serve(slots=2)
    Queue.objects.create(org=org, name="default", policy="fifo")
    made = []
    for number in range(12):
        (one,) = enqueue_many([new_job(urgency=("low", "high")[number % 2])], org=org, user=None)
        assert isinstance(one, Enqueued)
        made.append(one.job_id)
        if number % 3 == 2:
            shares._shares.clear()  # the next is of another process
            keep_shares()

    assert [one.job_id for one in claim_all(slots=12)] == made


def test_what_becomes_due_in_order_of_arrival_comes_behind_what_is_there(world: World) -> None:
    Queue.objects.create(org=world.org, name="default", policy="fifo")
    flood(world.org, 3, delay_seconds=60.0)
    flood(world.org, 3)
    share_of(world.org.pk, "default").tell()
    make_due()

    promote()
    flood(world.org, 1)

    by_rank = list(Ready.objects.order_by("rank").values_list("job_id", flat=True))
    assert by_rank == list(Ready.objects.order_by("queued_at", "rank").values_list("job_id", flat=True))
    assert len(by_rank) == 7
