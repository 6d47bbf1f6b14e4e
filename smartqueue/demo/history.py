"""A finished week for a demo organisation, written in bulk. Nothing here runs, and each job says so."""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from random import Random
from secrets import randbits
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings

from jobs import ranking
from jobs.active_model import first_guesses
from jobs.estimates import Asked, Estimate, Known, default, estimate_of, submission
from jobs.ids import first_uuid7
from jobs.memories import as_rows, person
from jobs.models import Attempt, DepthSample, Job, Queue, RuntimeMemory, Transition
from jobs.queue.enqueue import canonical
from jobs.queue.shares import untuned
from jobs.states import Outcome, Status
from orgs.models import Org, User
from predictor.examples import Memories
from smartqueue.demo.kinds import BACKUP, FLAKY, NIGHTLY, Dead, Kind, Payload, Trouble

DAYS = 7
# Nothing is made to look as if it had just run.
ENDED_AGO = timedelta(hours=1)
SLOTS = 5
SAMPLE_SECONDS = 15
ACTOR = WORKER = "demo-history"
WORKER_ID = UUID("00000000-0000-7000-8000-000000000000")
DESCRIPTION = "Part of the demo's history: seed_demo wrote this job, it never ran here."
NOT_YET = datetime.max.replace(tzinfo=UTC)
# How busy each hour of the day is.
HOURS = [1] * 7 + [3, 6, 9, 9, 8, 6, 8, 9, 8, 6, 4, 3, 2, 2, 1, 1, 1]


@dataclass(slots=True)
class Try:
    """One attempt: ready to run, started, ended. `trouble` is None when it succeeded."""

    ms: float
    trouble: Trouble | None
    ready: datetime = NOT_YET
    started: datetime = NOT_YET
    ended: datetime = NOT_YET


@dataclass(slots=True)
class Past:
    """A job of the week with all its attempts; without any it was cancelled while it waited."""

    kind: Kind
    payload: Payload
    created: datetime
    tries: list[Try]
    max_attempts: int = 4
    timeout_seconds: int = 300
    estimate: Estimate = field(default_factory=default)
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        self.id = UUID(int=first_uuid7(self.created).int | randbits(62))

    @property
    def status(self) -> Status:
        if not self.tries:
            return Status.CANCELLED
        return Status.FAILED if self.tries[-1].trouble else Status.DONE


def write_week(
    org: Org, people: dict[str, User], kinds: Sequence[Kind], *, jobs: int, dead: Sequence[Dead], now: datetime
) -> int:
    """Store a week of `jobs` finished jobs and these dead letters; returns how many jobs there are."""
    random = Random(org.slug)
    end = now - ENDED_AGO
    week = plan(random, kinds, jobs, end) + plan_dead(random, dead, end)
    if dead:
        week += plan_nights(random, end)
    week.sort(key=lambda past: past.created)
    run_through(week, random)
    week = [past for past in week if not past.tries or past.tries[-1].ended < end]
    memories = predict(org, people, week)
    store(org, people, week, end)
    RuntimeMemory.objects.bulk_create(as_rows(org, memories))
    return len(week)


def plan(random: Random, kinds: Sequence[Kind], count: int, end: datetime) -> list[Past]:
    week = []
    for number, kind in enumerate(random.choices(kinds, [kind.share for kind in kinds], k=count)):
        created = some_time(random, end)
        payload, ms = kind.make(random, created.hour + created.minute / 60)
        failing = kind is FLAKY or (kind.trouble is not None and random.random() < kind.trouble_share)
        tries = [Try(ms * 0.8, kind.trouble)] * failing + [Try(ms, None)]
        week.append(Past(kind, payload, created, [] if number % 250 == 249 else tries))
    return week


def plan_dead(random: Random, dead: Sequence[Dead], end: datetime) -> list[Past]:
    return [
        Past(
            one.kind, one.payload, some_time(random, end - timedelta(hours=1)),
            [Try(one.ms * random.uniform(0.9, 1.1), one.trouble) for _ in range(one.max_attempts)],
            one.max_attempts, one.timeout_seconds,
        )
        for one in dead
    ]  # fmt: skip


def plan_nights(random: Random, end: datetime) -> list[Past]:
    """At two o'clock a batch comes in at once, more than there are slots."""
    week = []
    for day in range(DAYS):
        night = (end - timedelta(days=day)).replace(hour=2, minute=0, second=0, microsecond=0)
        for number in range(25):
            kind = NIGHTLY if number else BACKUP
            payload, ms = kind.make(random, 2)
            week.append(Past(kind, payload, night + timedelta(milliseconds=40 * number), [Try(ms, None)]))
    return week


def some_time(random: Random, end: datetime) -> datetime:
    day = (end - timedelta(days=random.randrange(DAYS))).replace(hour=0, minute=0, second=0, microsecond=0)
    (hour,) = random.choices(range(24), HOURS)
    found = day + timedelta(hours=hour, seconds=random.uniform(0, 3600))
    return found if found < end else found - timedelta(days=DAYS)


def run_through(week: Sequence[Past], random: Random) -> None:
    """Say when each attempt would have run on a worker of SLOTS slots, first come first served."""
    ready = [(past.created, number, 0) for number, past in enumerate(week) if past.tries]
    heapq.heapify(ready)
    free = [week[0].created] * SLOTS
    while ready:
        at, number, index = heapq.heappop(ready)
        one = week[number].tries[index]
        one.ready = at
        one.started = max(at, heapq.heappop(free)) + timedelta(milliseconds=random.uniform(2, 9))
        one.ended = one.started + timedelta(milliseconds=one.ms)
        heapq.heappush(free, one.ended)
        if index + 1 < len(week[number].tries):
            wait = settings.RETRY_BASE_SECONDS * 2**index + random.uniform(0, settings.RETRY_JITTER_SECONDS)
            heapq.heappush(ready, (one.ended + timedelta(seconds=wait), number, index + 1))


def predict(org: Org, people: dict[str, User], week: Sequence[Past]) -> Memories:
    """Say what would have been predicted at each submit, without a model; returns what is remembered in the end."""
    tries = ((one.ended, number, one) for number, past in enumerate(week) for one in past.tries)
    ends = deque(sorted(tries, key=itemgetter(0, 1)))
    memories, known, submissions = Memories(), [], []
    for past in week:
        remember_until(past.created, ends, memories, people, week)
        known.append(Known(memories.of(person(people[past.kind.user]), past.kind.type, past.kind.name)))
        asked = Asked(past.kind.type, past.kind.name, len(canonical(past.payload)))
        submissions.append(submission(asked, known[-1], past.kind.user, past.created.timestamp()))
    remember_until(NOT_YET, ends, memories, people, week)
    model = first_guesses(org)
    for past, of_kind, said in zip(week, known, model.model.predict(submissions), strict=True):
        if of_kind.seen:
            past.estimate = estimate_of(said, model, of_kind)
    return memories


def remember_until(
    moment: datetime, ends: deque[tuple[datetime, int, Try]], memories: Memories, people: dict[str, User],
    week: Sequence[Past],
) -> None:  # fmt: skip
    while ends and ends[0][0] < moment:
        ended, number, one = ends.popleft()
        kind = week[number].kind
        memories.add(
            person(people[kind.user]), kind.type, kind.name,
            runtime_ms=one.ms, ended=ended.timestamp(), failed=one.trouble is not None,
        )  # fmt: skip


def store(org: Org, people: dict[str, User], week: Sequence[Past], end: datetime) -> None:
    Queue.objects.bulk_create([Queue(org=org, name=name) for name in sorted({past.kind.queue for past in week})])
    Job.objects.bulk_create([job(org, people, past, number) for number, past in enumerate(week)])
    Attempt.objects.bulk_create(
        sorted((row for past in week for row in attempts(org, past)), key=lambda row: row.ended_at)
    )
    # Their trigger counts the jobs by status.
    Transition.objects.bulk_create(
        sorted((row for past in week for row in transitions(org, past)), key=lambda row: row.at)
    )
    DepthSample.objects.bulk_create(depth_samples(org, week, end))


def job(org: Org, people: dict[str, User], past: Past, number: int) -> Job:
    waited = Try(0, None, ready=past.created, ended=past.created + timedelta(seconds=1))
    last = past.tries[-1] if past.tries else waited
    trouble, kind, predicted = last.trouble, past.kind, past.estimate
    return Job(
        id=past.id, org=org, queue=kind.queue, type=kind.type, name=kind.name, title=kind.title,
        description=DESCRIPTION, payload=past.payload, payload_bytes=len(canonical(past.payload)),
        urgency=kind.urgency, category=kind.category, predicted_ms=predicted.ms, predicted_low_ms=predicted.low_ms,
        predicted_high_ms=predicted.high_ms, failure_probability=predicted.failure_probability,
        prediction_source=predicted.source, priority=ranking.priority(predicted.ms),
        rank_offset=ranking.rank_offset(settings.QUEUE_POLICY, predicted.ms, kind.urgency, untuned()),
        status=past.status, run_at=last.ready if len(past.tries) > 1 else None, timeout_seconds=past.timeout_seconds,
        max_attempts=past.max_attempts, attempt=len(past.tries), attempt_limit=past.max_attempts,
        correlation_id=f"demo-history-{number:04}", created_by=people[kind.user], created_at=past.created,
        queued_at=last.ready, started_at=last.started if past.tries else None, finished_at=last.ended,
        runtime_ms=last.ms if past.tries else None,
        outcome="" if not past.tries else trouble.outcome if trouble else Outcome.DONE,
        error_type=trouble.error_type if trouble else "", error=trouble.error if trouble else "",
    )  # fmt: skip


def attempts(org: Org, past: Past) -> Iterable[Attempt]:
    for number, one in enumerate(past.tries, 1):
        trouble = one.trouble
        yield Attempt(
            job_id=past.id, org_id=org.pk, number=number, type=past.kind.type, name=past.kind.name,
            worker_id=WORKER_ID, worker_name=WORKER, started_at=one.started, last_beat_at=one.started,
            ended_at=one.ended, outcome=trouble.outcome if trouble else Outcome.DONE, runtime_ms=one.ms,
            predicted_ms=past.estimate.ms, predicted_low_ms=past.estimate.low_ms,
            predicted_high_ms=past.estimate.high_ms, error_type=trouble.error_type if trouble else "",
            error=trouble.error if trouble else "", queue=past.kind.queue, queued_at=one.ready,
            to_status=after(past, number),
        )  # fmt: skip


def after(past: Past, number: int) -> Status:
    """What an attempt made of its job."""
    return past.status if number == len(past.tries) else Status.SCHEDULED


def transitions(org: Org, past: Past) -> Iterable[Transition]:
    def move(source: Status | None, target: Status, attempt: int, at: datetime, reason: str = "") -> Transition:
        return Transition(
            org_id=org.pk, job_id=past.id, queue=past.kind.queue, from_status=source, to_status=target,
            attempt=attempt, actor=ACTOR, reason=reason, at=at,
        )  # fmt: skip

    yield move(None, Status.QUEUED, 0, past.created)
    if not past.tries:
        yield move(Status.QUEUED, Status.CANCELLED, 0, past.created + timedelta(seconds=1))
    for number, one in enumerate(past.tries, 1):
        if number > 1:
            yield move(Status.SCHEDULED, Status.QUEUED, number - 1, one.ready, "due")
        yield move(Status.QUEUED, Status.RUNNING, number, one.started)
        why = one.trouble.error_type if one.trouble else ""
        yield move(Status.RUNNING, after(past, number), number, one.ended, why)


def depth_samples(org: Org, week: Sequence[Past], end: datetime) -> list[DepthSample]:
    """As the leader would have written them: of queues that hold something, and once more when they no longer do."""
    start = end - timedelta(days=DAYS + 1)
    count = int((end - start).total_seconds()) // SAMPLE_SECONDS + 2
    changes: dict[str, dict[str, Any]] = {}

    def spell(queue: str, what: str, since: datetime, until: datetime) -> None:
        line = changes.setdefault(queue, {}).setdefault(what, np.zeros(count + 1, dtype=np.int64))
        first, after = (-(-(at - start).total_seconds() // SAMPLE_SECONDS) for at in (since, until))
        line[int(first)] += 1
        line[int(after)] -= 1

    for past in week:
        for index, one in enumerate(past.tries):
            spell(past.kind.queue, "queued", one.ready, one.started)
            spell(past.kind.queue, "running", one.started, one.ended)
            if index + 1 < len(past.tries):
                spell(past.kind.queue, "scheduled", one.ended, past.tries[index + 1].ready)
    samples = []
    for queue, lines in changes.items():
        depths = {what: np.cumsum(line) for what, line in lines.items()}
        filled = sum(depths.values()) > 0
        for number in np.flatnonzero(filled | np.roll(filled, 1)):
            at = start + timedelta(seconds=int(number) * SAMPLE_SECONDS)
            held = {
                what: int(depths[what][number]) if what in depths else 0 for what in ("queued", "running", "scheduled")
            }
            samples.append(DepthSample(org_id=org.pk, queue=queue, at=at, **held))
    return sorted(samples, key=lambda sample: sample.at)
