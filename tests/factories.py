"""Rows with defaults, as plain functions."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.delivery.signing import new_secret, sealed
from jobs.handlers import registry
from jobs.memories import person
from jobs.models import Accuracy, Attempt, Delivery, EventType, Job, ModelVersion, RunDelta, Subscriber
from jobs.queue.claim import Claimed, claim
from jobs.queue.enqueue import NewJob, enqueue
from jobs.queue.finish import Ended, finish
from jobs.queue.upkeep import fold_runs
from jobs.states import Outcome
from orgs.keys import create_key
from orgs.models import Membership, Org, User
from orgs.roles import KeyRole, Role
from orgs.scope import find_scope
from orgs.tokens import give_tokens
from predictor.train import LogRow, examples_from_log, train
from predictor.weights import dump

PASSWORD = "correct horse battery staple"
numbers = count(1)
WORKER = UUID("018f0000-0000-7000-8000-000000000001")


def make_user(username: str = "", **fields: Any) -> User:
    return User.objects.create_user(username or f"user{next(numbers)}", password=PASSWORD, **fields)


def make_org(slug: str = "", **fields: Any) -> Org:
    slug = slug or f"org{next(numbers)}"
    return Org.objects.create(slug=slug, **{"name": slug.title(), **fields})


def make_member(org: Org, role: Role = Role.OPERATOR, username: str = "") -> User:
    user = make_user(username)
    Membership.objects.create(org=org, user=user, role=role)
    return user


def make_job(org: Org | None = None, user: User | None = None, **fields: Any) -> Job:
    """A stored job, as enqueue() makes it: by default a python job that adds 1 and 2, waiting in `default`."""
    fields = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields}
    found = enqueue(NewJob(**fields), org=org or make_org(), user=user)
    return Job.objects.get(pk=found.job_id)


def claim_all(queue: str = "default", slots: int = 100, worker: UUID = WORKER) -> list[Claimed]:
    """Take whatever waits in a queue, as a worker would."""
    types = registry.performed()
    return claim(queue=queue, types=types, slots=slots, worker_id=worker, worker_name="tester-1")


def finish_one(claimed: Claimed, outcome: Outcome = Outcome.DONE, **fields: Any) -> bool:
    """End a claimed attempt; False when it had lost its lease."""
    return bool(finish([Ended(claimed, outcome, **fields)], worker_name="tester-1"))


def make_done(org: Org | None = None, **fields: Any) -> Job:
    """A job that ran and is done, with its attempt."""
    return ended_job(make_job(org, **fields), Outcome.DONE, result=3)


def make_dead_letter(org: Org | None = None, **fields: Any) -> Job:
    """A job that failed for good."""
    job = make_job(org, **fields)
    return ended_job(job, Outcome.ERROR, error_type="ValueError", error="broken", permanent=True)


def ended_job(job: Job, outcome: Outcome, **fields: Any) -> Job:
    claimed = next(one for one in claim_all(job.queue) if one.job_id == job.pk)
    assert finish_one(claimed, outcome, **fields)
    job.refresh_from_db()
    return job


def make_webhook(org: Org, url: str = "https://example.com/hook", *, secret: str = "", **fields: Any) -> Subscriber:
    """A webhook for all ends of all jobs, unless said otherwise."""
    new = Subscriber(org=org, kind="webhook", target=url, **{"events": EventType.values, **fields})
    new.secret = sealed(secret or new_secret(), new.pk)
    new.save()
    return new


def make_alert(org: Org, address: str = "oncall@example.com", **fields: Any) -> Subscriber:
    """A mail alert for dead letters, unless said otherwise."""
    return Subscriber.objects.create(org=org, kind="mail", target=address, **{"events": ["job.failed"], **fields})


def make_delivery(subscriber: Subscriber, **fields: Any) -> Delivery:
    """One that is due now."""
    about: dict[str, Any] = {"event": "test", "data": {}, "next_at": Now(), "created_at": Now()}
    new = Delivery.objects.create(subscriber=subscriber, org_id=subscriber.org_id, **{**about, **fields})
    new.refresh_from_db()
    return new


def make_history(
    org: Org,
    runtimes_ms: Sequence[float],
    *,
    name: str = "demo.add",
    type: str = "python",
    user: User | None = None,
    failed: bool = False,
) -> None:
    """Runs that are remembered, one a minute up to now."""
    runs, now = len(runtimes_ms), timezone.now().timestamp()
    RunDelta.objects.create(
        org_id=org.pk, person=person(user), type=type, name=name, runtimes_ms=list(runtimes_ms),
        failed=[failed] * runs, ended=[now - 60.0 * (runs - number) for number in range(runs)],
    )  # fmt: skip
    fold_runs()


class PastRun(NamedTuple):
    """One finished run for make_runs()."""

    runtime_ms: float
    type: str = "python"
    name: str = "demo.add"
    payload_bytes: int = 50
    failed: bool = False


def make_runs(org: Org, runs: Sequence[PastRun], user: User | None = None) -> None:
    """Jobs that ran in the past, one a minute up to now, with their attempts: for training and analytics."""
    start = timezone.now() - timedelta(minutes=len(runs) + 1)
    jobs, attempts = [], []
    for number, run in enumerate(runs):
        began = start + timedelta(minutes=number)
        ended = began + timedelta(milliseconds=run.runtime_ms)
        job = Job(
            org=org, queue="default", type=run.type, name=run.name, payload={}, payload_bytes=run.payload_bytes,
            predicted_ms=2000, prediction_source="default", priority=0.6, rank_offset=0,
            status="failed" if run.failed else "done", timeout_seconds=300, max_attempts=1, attempt=1, attempt_limit=1,
            correlation_id="past", created_by=user, created_at=began, queued_at=began, started_at=began,
            finished_at=ended, runtime_ms=run.runtime_ms,
        )  # fmt: skip
        jobs.append(job)
        attempts.append(
            Attempt(
                job_id=job.pk,
                org_id=org.pk,
                number=1,
                type=run.type,
                name=run.name,
                worker_id=WORKER,
                worker_name="tester-1",
                started_at=began,
                last_beat_at=ended,
                ended_at=ended,
                outcome="error" if run.failed else "done",
                runtime_ms=run.runtime_ms,
                predicted_ms=2000,
            )
        )
    Job.objects.bulk_create(jobs)
    Attempt.objects.bulk_create(attempts)


def make_version(org: Org, version: int, **fields: Any) -> ModelVersion:
    """A version of a model that can be used, of which little is said."""
    about: dict[str, Any] = {"weights": some_weights(), "samples": 100, "metrics": {"malr": 1.0}}
    return ModelVersion.objects.create(org=org, version=version, **{**about, **fields})


# The columns of Nearness that are sums.
NEARNESS_SUMS = (
    "runs", "log2_error", "log2_bias", "relative_error", "within_2x", "ranged", "in_range", "risked", "risk", "failed",
)  # fmt: skip


def make_hour(org: Org, hours_ago: float = 0.0, **fields: Any) -> Accuracy:
    """An hour of a hundred runs whose predictions by version 1 were off by a factor of two, unless said otherwise."""
    about: dict[str, Any] = dict.fromkeys(NEARNESS_SUMS, 0)
    about |= {"runs": 100, "log2_error": 100.0, "model_version": 1, "org_id": org.pk}
    about |= {"hour": timezone.now() - timedelta(hours=hours_ago)}
    return Accuracy.objects.create(**{**about, **fields})


@cache
def some_weights() -> bytes:
    rows = [LogRow(60.0 * n, 60.0 * n + 1, "python", "demo.add", "ada", 50, 1000.0, False) for n in range(20)]
    return dump(train(examples_from_log(rows), epochs=1).model)


def api(user: User | None = None, org: Org | None = None) -> APIClient:
    """A client that sends a person's own access token, and X-Org when an organisation is given."""
    client = APIClient(raise_request_exception=False)
    headers = {"HTTP_AUTHORIZATION": f"Bearer {give_tokens(user).access_token}"} if user else {}
    client.credentials(**headers, **({"HTTP_X_ORG": org.slug} if org else {}))
    return client


def make_key(maker: User, org: Org, role: str = KeyRole.WORKER, **fields: Any) -> str:
    """The token of a new key."""
    return create_key("k", scope=find_scope(maker, org.slug), role=role, **fields)[1]


def with_key(token: str, org: Org | None = None) -> APIClient:
    """A client that sends a key, and X-Org when an organisation is given."""
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **({"HTTP_X_ORG": org.slug} if org else {}))
    return client


def browser(user: User | None = None) -> Client:
    """A client that is signed in to the pages."""
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user)
    return client
