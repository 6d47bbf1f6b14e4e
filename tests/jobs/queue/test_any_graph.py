"""A hundred jobs that wait for each other, in any graph: however their parents end, none is left waiting for ever."""

import random
from uuid import UUID

import pytest
from django.db import transaction

from jobs.models import Attempt, Dependency, Ending, Job
from jobs.queue.claim import Claimed
from jobs.queue.control import cancel
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import rescue
from jobs.queue.promote import promote
from jobs.states import Outcome
from orgs.scope import Scope
from tests.factories import claim_all, make_org
from tests.jobs.queue.acts import own_scope
from tests.jobs.queue.graphs import OVER, any_graph, assert_policy, doomed, release_all, store_graph
from tests.jobs.queue.whole import assert_whole, lapse_leases, make_due
from tests.proofs import figure, times

pytestmark = pytest.mark.django_db

JOBS = 100
# How an attempt ends. Lost: its worker is gone, and the watchdog takes it back.
ENDS = [Outcome.DONE] * 6 + [Outcome.ERROR, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.CANCELLED, Outcome.LOST]


def play(draw: random.Random, ids: list[UUID], scope: Scope) -> None:
    """Attempts end as they are drawn, people cancel, and the leader does its part late, until nothing more happens."""
    for _ in range(10 * JOBS):
        claims = claim_all(slots=draw.randint(1, 10))
        end_all(draw, claims)
        if draw.random() < 0.3:
            cancel_one(draw, ids, scope)
        if draw.random() < 0.7:
            release_all(batch=draw.choice([1, 7, 1_000]))
        if not claims and not retried():
            release_all()
            if not Job.objects.filter(status="queued").exists():
                return
    raise AssertionError("it does not come to an end")


def retried() -> int:
    """Retries wait for their time: it has come."""
    waiting = list(Job.objects.filter(status="scheduled", run_at__isnull=False).values_list("pk", flat=True))
    if not waiting:
        return 0
    make_due(*waiting)
    return promote()


def end_all(draw: random.Random, claims: list[Claimed]) -> None:
    lost = []
    for claimed in claims:
        outcome = draw.choice(ENDS)
        if outcome == Outcome.LOST:
            lost.append(claimed.job_id)
        else:
            finish([Ended(claimed, outcome, error_type="E", error="drawn")], worker_name="tester-1")
    if lost:
        lapse_leases(*lost)
        rescue()


def cancel_one(draw: random.Random, ids: list[UUID], scope: Scope) -> None:
    """Any that has not ended: one that waits for others too."""
    open_ones = set(Job.objects.exclude(status__in=OVER).values_list("pk", flat=True))
    if left := [job_id for job_id in ids if job_id in open_ones]:
        with transaction.atomic():
            cancel(draw.choice(left), scope=scope)


def test_whatever_becomes_of_a_hundred_jobs_none_is_left_waiting() -> None:
    seeds = times(3, 100)
    ends: dict[str, int] = {}
    for seed in range(seeds):
        draw = random.Random(seed)
        scope = own_scope(make_org(f"acme-{seed}"))
        nodes = any_graph(draw, JOBS)
        ids = store_graph(nodes, scope.org)

        play(draw, ids, scope)

        found = dict(Job.objects.filter(pk__in=ids).values_list("pk", "status"))
        for job_id, node in zip(ids, nodes, strict=True):
            node.status = found[job_id]
            ends[node.status] = ends.get(node.status, 0) + 1
        assert_policy(nodes)
        ran = set(Attempt.objects.filter(job_id__in=ids).values_list("job_id", flat=True))
        assert not ran & {ids[number] for number in doomed(nodes)}
        assert not Dependency.objects.exists()
        assert not Ending.objects.exists()
        assert_whole()
    figure(
        "F35 graphs of a hundred jobs",
        graphs=seeds,
        left_waiting=seeds * JOBS - sum(ends[status] for status in OVER),
        ends=ends,
    )
    # the draw is such that there is something to see
    assert min(ends[status] for status in OVER) > seeds
