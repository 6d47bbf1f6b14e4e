"""What holds of the tables at every moment, and small pushes on the clock."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from django.db.models.functions import Now

from jobs.models import Attempt, Job, Lease, Ready, StatusCount, StatusDelta, Transition
from jobs.states import TERMINAL, Status, is_legal


def assert_whole() -> None:
    """Every job is in one place, its history leads there without a gap, and the counts agree."""
    jobs = {job.pk: job for job in Job.objects.with_state()}
    ready = set(Ready.objects.values_list("job_id", flat=True))
    leased = set(Lease.objects.values_list("job_id", flat=True))
    assert not ready & leased
    assert ready == {pk for pk, job in jobs.items() if job.state == Status.QUEUED}
    assert leased == {pk for pk, job in jobs.items() if job.state == Status.RUNNING}
    moves, numbers = defaultdict(list), defaultdict(list)
    for job_id, *move in Transition.objects.order_by("id").values_list("job_id", "from_status", "to_status"):
        moves[job_id].append(move)
    for job_id, number in Attempt.objects.order_by("number").values_list("job_id", "number"):
        numbers[job_id].append(number)
    for pk, job in jobs.items():
        assert_legal([None, *path(moves[pk])])
        assert moves[pk][-1][1] == job.state
        assert numbers[pk] == list(range(1, job.attempt + 1))
        assert (job.finished_at is not None) == (job.status in TERMINAL)
    assert counted() == Counter((job.org_id, job.queue, job.state) for job in jobs.values())


def path_of(job_id: UUID) -> list[str]:
    """The statuses a job went through, the first included."""
    return path(list(Transition.objects.filter(job_id=job_id).order_by("id").values_list("from_status", "to_status")))


def path(moves: Sequence[Sequence[str]]) -> list[str]:
    assert moves[0][0] is None
    assert all(before[1] == after[0] for before, after in pairwise(moves)), moves
    return [to_status for _, to_status in moves]


def assert_legal(statuses: Sequence[str | None]) -> None:
    known = [status and Status(status) for status in statuses]
    assert all(is_legal(before or None, after) for before, after in pairwise(known) if after), statuses


def counted() -> Counter[tuple[int, str, str]]:
    """Jobs by (organisation, queue, status) as the counts say, the deltas added; empty ones left out."""
    total: Counter[tuple[int, str, str]] = Counter()
    for model in (StatusCount, StatusDelta):
        for org_id, queue, status, jobs in model.objects.values_list("org_id", "queue", "status", "jobs"):
            total[org_id, queue, status] += jobs
    assert all(jobs >= 0 for jobs in total.values()), total
    return +total


def lapse_leases(*job_ids: UUID) -> None:
    """Let leases end now (all, or of these jobs), as if nobody had renewed them."""
    leases = Lease.objects.filter(job_id__in=job_ids) if job_ids else Lease.objects.all()
    leases.update(expires_at=Now() - timedelta(seconds=1))


def make_due(*job_ids: UUID) -> None:
    """Let scheduled jobs (all, or these) be due now."""
    scheduled = Job.objects.filter(status=Status.SCHEDULED)
    (scheduled.filter(pk__in=job_ids) if job_ids else scheduled).update(run_at=Now() - timedelta(seconds=1))
