"""The verbs in any order against a small model of what a job is: nothing is lost, doubled or miscounted."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.errors import IllegalMove, KeyReused
from jobs.models import Job, Ready
from jobs.queue.claim import Claimed
from jobs.queue.control import cancel, keep_held, pause, replay, replay_many, resume
from jobs.queue.enqueue import NewJob, enqueue
from jobs.queue.finish import Ended, finish
from jobs.queue.lease import give_back, renew, rescue
from jobs.queue.promote import promote
from jobs.queue.upkeep import fold_counts
from jobs.states import Outcome
from orgs.roles import Role
from orgs.scope import Scope
from tests.factories import WORKER, claim_all, make_member, make_org
from tests.jobs.queue.whole import assert_whole, lapse_leases, make_due

QUEUES = ["a", "b"]
queues = st.sampled_from(QUEUES)
chance = st.randoms(use_true_random=False)
OVER = {"done", "failed", "cancelled"}
ENDS = [Outcome.DONE, Outcome.ERROR, Outcome.ERROR, Outcome.TIMEOUT, Outcome.RELEASED, Outcome.CANCELLED]


@dataclass
class ModelJob:
    """What a job is, without a database."""

    queue: str
    status: str
    max_attempts: int
    key: str | None
    attempt: int = 0
    failures: int = 0
    life: int = 1
    cancel_requested: bool = False

    def start(self) -> None:
        self.status, self.attempt = "running", self.attempt + 1

    def end(self, outcome: Outcome, permanent: bool = False) -> None:
        self.failures += outcome is not Outcome.RELEASED
        if outcome in (Outcome.DONE, Outcome.CANCELLED):
            self.status = str(outcome)
        elif self.cancel_requested:
            self.status = "cancelled"
        elif outcome is Outcome.RELEASED:
            self.status = "queued"
        elif permanent or self.failures >= self.max_attempts:
            self.status = "failed"
        else:
            self.status = "queued" if outcome is Outcome.LOST else "scheduled"
        self.cancel_requested = False

    def revive(self) -> None:
        self.status, self.failures, self.life = "queued", 0, self.life + 1


@dataclass
class Model:
    jobs: dict[UUID, ModelJob] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def in_status(self, *statuses: str) -> list[UUID]:
        return sorted(job_id for job_id, job in self.jobs.items() if job.status in statuses)


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.org = make_org()
        self.scope = Scope(make_member(self.org, Role.ORG_ADMIN), self.org, Role.ORG_ADMIN)
        self.model = Model()
        # Every claim there ever was: a late worker may come with any of them.
        self.claims: list[Claimed] = []

    def teardown(self) -> None:
        assert_whole()
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)

    def current(self, claimed: Claimed) -> bool:
        job = self.model.jobs[claimed.job_id]
        return job.status == "running" and job.attempt == claimed.attempt

    @initialize()
    def begin_with_some_jobs(self) -> None:
        for queue in QUEUES * 3:
            self.enqueue(queue, delayed=False, max_attempts=2, key=None)

    @rule(
        queue=queues,
        delayed=st.booleans(),
        max_attempts=st.integers(1, 3),
        key=st.sampled_from([None, None, "k1", "k2"]),
    )
    def enqueue(self, queue: str, delayed: bool, max_attempts: int, key: str | None) -> None:
        new = NewJob(
            type="python",
            payload={"task": "demo.fail_always"},
            queue=queue,
            delay_seconds=60 if delayed else None,
            max_attempts=max_attempts,
            idempotency_key=key,
        )
        earlier = next((pk for pk, job in self.model.jobs.items() if key and job.key == key), None)
        try:
            found = enqueue(new, org=self.org, user=None)
        except KeyReused:
            assert earlier
            return
        assert found.created == (earlier is None)
        if found.created:
            status = "scheduled" if delayed else "queued"
            self.model.jobs[found.job_id] = ModelJob(queue, status, max_attempts, key)
        else:
            assert found.job_id == earlier

    @rule(slots=st.integers(1, 4))
    def claim(self, slots: int) -> None:
        for queue in QUEUES:
            self.claim_from(queue, slots)

    def claim_from(self, queue: str, slots: int) -> None:
        ranks = Ready.objects.filter(queue=queue).order_by("rank", "job_id").values_list("job_id", flat=True)
        expected = [] if queue in self.model.paused else list(ranks)[:slots]

        claims = claim_all(queue, slots=slots)

        assert {one.job_id for one in claims} == set(expected)
        for one in claims:
            job = self.model.jobs[one.job_id]
            job.start()
            assert (one.attempt, one.failures) == (job.attempt, job.failures + 1)
        self.claims += claims

    @precondition(lambda self: self.claims)
    @rule(random=chance)
    def finish(self, random: Any) -> None:
        """Workers come with what they hold and with what they have long lost."""
        batch = [
            Ended(one, random.choice(ENDS), permanent=random.random() < 0.2)
            for one in random.sample(self.claims, min(len(self.claims), 8))
        ]
        held = [end for end in batch if self.current(end.claimed)]

        settled = finish(batch, worker_name="w")

        for end in held:
            self.model.jobs[end.claimed.job_id].end(end.outcome, end.permanent)
        assert {(one.job_id, one.attempt, one.to_status) for one in settled} == {
            (end.claimed.job_id, end.claimed.attempt, self.model.jobs[end.claimed.job_id].status) for end in held
        }

    @precondition(lambda self: self.model.in_status("running"))
    @rule(random=chance)
    def lose_a_worker(self, random: Any) -> None:
        lost = random.sample(self.model.in_status("running"), 1)
        lapse_leases(*lost)

        assert rescue() == 1

        self.model.jobs[lost[0]].end(Outcome.LOST)

    @precondition(lambda self: self.model.in_status("scheduled"))
    @rule(random=chance)
    def promote(self, random: Any) -> None:
        waiting = self.model.in_status("scheduled")
        due = random.sample(waiting, random.randint(1, len(waiting)))
        make_due(*due)

        assert promote() == len(due)

        for job_id in due:
            self.model.jobs[job_id].status = "queued"

    @rule(random=chance)
    def cancel(self, random: Any) -> None:
        job_id = random.choice(sorted(self.model.jobs))
        job = self.model.jobs[job_id]
        try:
            became = cancel(job_id, scope=self.scope)
        except IllegalMove:
            assert job.status in OVER
            return
        if job.status == "running":
            assert became == "cancelling"
            job.cancel_requested = True
        else:
            assert (became, job.status in ("queued", "scheduled")) == ("cancelled", True)
            job.status = "cancelled"

    @rule(random=chance, one=st.booleans())
    def replay(self, random: Any, one: bool) -> None:
        chosen = [random.choice(sorted(self.model.jobs))] if one else sorted(self.model.jobs)
        dead = [job_id for job_id in chosen if self.model.jobs[job_id].status == "failed"]
        if one:
            with nullcontext() if dead else pytest.raises(IllegalMove):
                replay(chosen[0], scope=self.scope)
        else:
            assert len(replay_many(chosen, scope=self.scope).ids) == len(dead)
        for job_id in dead:
            self.model.jobs[job_id].revive()

    @rule(queue=queues, on=st.booleans())
    def pause_or_resume(self, queue: str, on: bool) -> None:
        if not any(job.queue == queue for job in self.model.jobs.values()):
            return
        (pause if on else resume)(queue, scope=self.scope)
        (self.model.paused.add if on else self.model.paused.discard)(queue)

    @rule()
    def lead(self) -> None:
        while keep_held():
            pass
        fold_counts(batch=5)
        held = set(Ready.objects.filter(held=True).values_list("job_id", flat=True))
        assert held == {pk for pk in self.model.in_status("queued") if self.model.jobs[pk].queue in self.model.paused}

    @precondition(lambda self: self.claims)
    @rule()
    def renew(self) -> None:
        held = {one.token for one in self.claims if self.current(one)}
        asked = {one.token for one in self.claims if self.model.jobs[one.job_id].cancel_requested} & held

        renewed = renew(worker_id=WORKER, tokens=[one.token for one in self.claims])

        assert (renewed.held, renewed.cancelled) == (held, asked)

    @precondition(lambda self: self.claims)
    @rule(random=chance)
    def forget_some_claims(self, random: Any) -> None:
        held = [one for one in self.claims if self.current(one)]
        known = [one for one in held if random.random() < 0.7]

        assert give_back(worker_id=WORKER, known=[one.token for one in known], worker_name="w") == len(held) - len(
            known
        )

        for one in held:
            if one not in known:
                self.model.jobs[one.job_id].end(Outcome.RELEASED)

    @invariant()
    def the_tables_say_what_the_model_says(self) -> None:
        stored = Job.objects.with_state().values_list("pk", "state", "attempts_made", "life", "cancel_requested")
        assert {pk: tuple(rest) for pk, *rest in stored} == {
            pk: (job.status, job.attempt, job.life, job.cancel_requested) for pk, job in self.model.jobs.items()
        }

    @invariant()
    def the_tables_are_whole(self) -> None:
        assert_whole()


@pytest.mark.django_db
def test_the_verbs_in_any_order_keep_every_job_whole() -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
