"""Two schedulers, of which the leader is killed or stopped."""

import signal
from datetime import timedelta

from django.db.models.functions import Now

from jobs.models import Job, LeaderTerm, Transition
from tests.factories import make_job, make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, Process, database_now, leader_pid, patiently


def leader_of(schedulers: list[Process]) -> Process:
    pids = {scheduler.pid: scheduler for scheduler in schedulers if scheduler.running}
    return pids[patiently(lambda: leader_pid() in pids and leader_pid())]


ENDINGS = (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL)


def test_a_standby_leads_soon_and_what_is_due_is_queued_once(fleet: Fleet) -> None:
    org = make_org("acme")
    schedulers = fleet.ready([fleet.scheduler() for _ in ENDINGS])
    for signum in ENDINGS:
        leader = leader_of(schedulers)
        epoch = LeaderTerm.objects.get(ended_at=None).epoch
        jobs = [make_job(org, delay_seconds=3600).pk for _ in range(20)]

        gone = database_now()
        leader.send(signum)
        # Due in the gap between two leaders.
        Job.objects.filter(pk__in=jobs).update(run_at=Now() + timedelta(seconds=0.2))
        patiently(lambda jobs=jobs: Job.objects.filter(pk__in=jobs, status="queued").count() == len(jobs))

        term = LeaderTerm.objects.get(ended_at=None)
        moves = Transition.objects.filter(job_id__in=jobs, to_status="queued")
        print(
            f"{signum.name}: next leader after {term.elected_at.timestamp() - gone:.2f} s,"
            f" due jobs queued after {moves.latest('id').at.timestamp() - gone:.2f} s"
        )
        assert term.epoch > epoch
        assert term.pid != leader.pid
        if signum is signal.SIGSTOP:
            leader.send(signal.SIGCONT)
            patiently(lambda leader=leader: '"no longer leading"' in leader.text)
        assert moves.count() == len(jobs)
        assert LeaderTerm.objects.filter(ended_at=None).count() == 1
    assert_whole()
