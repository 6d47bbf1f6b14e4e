"""Three schedulers, of which the leader is told to end, killed, stopped, or loses its lock."""

import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from jobs.models import Job, LeaderTerm
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.queue.whole import assert_whole
from tests.process import Process
from tests.processes import Fleet, database_now, patiently
from tests.proofs import figure, times
from tests.scenarios.terms import (
    Schedulers,
    all_queued_once,
    leaders_writes_noted,
    lock_holder,
    make_due,
    planned,
    queued,
)

DUE = 20
# From the fault to the next term, in seconds; far longer where others use the machine too.
GAPS = {signal.SIGTERM: 2.0, signal.SIGKILL: 2.0, signal.SIGSTOP: 7.0}
ALLOWANCE = 10.0
# So many due jobs, and so few of them in a write, that a leader is in the middle of its work for a while.
BACKLOG, SMALL_BATCHES = 600, {"SMARTQUEUE_PROMOTE_BATCH": "2"}
SLOW_TO_NOTICE = {"SMARTQUEUE_LEADER_PING_SECONDS": "1"}
NO_LONGER, REFUSED = '"no longer leading"', '"a write of a closed term was refused"'


@pytest.fixture(autouse=True)
def noted(transactional_db: None) -> Iterator[None]:
    """Outlives the processes."""
    with leaders_writes_noted():
        yield


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def next_term(epoch: int) -> LeaderTerm:
    """The first one after this."""
    return patiently(lambda: LeaderTerm.objects.filter(epoch__gt=epoch).order_by("epoch").first())


def open_epoch(leader: Process) -> int:
    return LeaderTerm.objects.get(ended_at=None, pid=leader.pid).epoch


def wake(process: Process, said: int) -> None:
    """It goes on, and finds that its lead is over."""
    process.send(signal.SIGCONT)
    patiently(lambda: process.text.count(NO_LONGER) > said)


@pytest.mark.parametrize("signum", GAPS, ids=lambda signum: signum.name)
def test_a_standby_leads_soon_and_what_is_due_is_queued_once(fleet: Fleet, org: Org, signum: signal.Signals) -> None:
    schedulers = Schedulers(fleet)
    schedulers.start(3)
    gaps, delays = [], []
    for _ in range(times(2, 30)):
        leader = schedulers.leader()
        epoch, said = open_epoch(leader), leader.text.count(NO_LONGER)
        jobs = planned(org, DUE)

        gone = database_now()
        leader.send(signum)
        # Due in the gap between two leaders.
        Job.objects.filter(pk__in=jobs).update(run_at=Now() + timedelta(seconds=0.2))
        term = next_term(epoch)
        all_queued_once(jobs)

        assert term.pid != leader.pid
        gaps.append(term.elected_at.timestamp() - gone)
        delays.append(queued(jobs).latest("id").at.timestamp() - gone)
        if signum is signal.SIGSTOP:
            wake(leader, said)
        else:
            leader.ended()
            schedulers.start(1)

    figure(
        f"F12 leader {signum.name}",
        times=len(gaps),
        longest_gap_seconds=round(max(gaps), 2),
        due_jobs_queued_after_seconds=round(max(delays), 2),
    )
    assert max(gaps) <= GAPS[signum] * times(int(ALLOWANCE), 1)
    schedulers.check()
    assert_whole()


def test_a_leader_that_wakes_late_writes_nothing(fleet: Fleet, org: Org) -> None:
    """Stopped in the middle of its work, while another leads and writes."""
    seconds = times(3, 10)
    schedulers = Schedulers(fleet, **SMALL_BATCHES)
    schedulers.start(3)
    refused = stepped_down = 0
    for _ in range(times(1, 10)):
        leader = schedulers.leader()
        epoch, said, no = open_epoch(leader), leader.text.count(NO_LONGER), leader.text.count(REFUSED)
        jobs = planned(org, BACKLOG)
        make_due(jobs)
        patiently(lambda jobs=jobs: queued(jobs).count() > BACKLOG // 10, every_seconds=0.001)

        leader.send(signal.SIGSTOP)
        stopped = database_now()
        assert queued(jobs).count() < len(jobs), "the leader was done before it was stopped"
        next_term(epoch)
        all_queued_once(jobs)
        patiently(lambda stopped=stopped: database_now() >= stopped + seconds)
        more = planned(org, BACKLOG)
        make_due(more)
        # It wakes while the new leader is in the middle of its work, with as much to do.
        wake(leader, said)
        all_queued_once(more)
        stepped_down += leader.text.count(NO_LONGER) - said
        refused += leader.text.count(REFUSED) - no

    schedulers.check()
    figure("F13 leader wakes late", stopped_seconds=seconds, stepped_down=stepped_down, refused=refused, late_writes=0)
    assert_whole()


def test_a_leader_whose_lock_is_taken_away_while_it_writes_leads_no_more(fleet: Fleet, org: Org) -> None:
    schedulers = Schedulers(fleet, **SMALL_BATCHES)
    # The first to lead writes on for a second before it looks at its lock: only the fence can stop it.
    schedulers.start(1, **SLOW_TO_NOTICE)
    schedulers.leader()
    schedulers.start(2)
    everything, gaps = [], []
    for _ in range(times(3, 30)):
        epoch = open_epoch(schedulers.leader())
        jobs = planned(org, BACKLOG)
        make_due(jobs)
        patiently(lambda jobs=jobs: queued(jobs).count() > BACKLOG // 10, every_seconds=0.001)

        holder, gone = lock_holder(), database_now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [holder])
        assert queued(jobs).count() < len(jobs), "the leader was done before its lock was gone"
        gaps.append(next_term(epoch).elected_at.timestamp() - gone)
        all_queued_once(jobs)
        everything += jobs

    schedulers.check()
    assert queued(everything).count() == len(everything)
    figure(
        "F14 lock taken away",
        times=len(gaps),
        longest_gap_seconds=round(max(gaps), 2),
        jobs=len(everything),
        refused=sum(one.text.count(REFUSED) for one in schedulers.all),
        queued_twice=0,
        overlapping_terms=0,
    )
    assert_whole()
