"""Jobs that wait for others, for tests: store them, run some, release the rest."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from jobs.models import Job, Ready
from jobs.queue.enqueue import Enqueued, NewJob, enqueue_many
from jobs.queue.finish import Ended, finish
from jobs.queue.release import release
from jobs.states import Outcome
from orgs.models import Org
from tests.factories import claim_all

OVER = ("done", "failed", "cancelled")
PLAIN = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, "max_attempts": 2}


def store(org: Org, *new: NewJob) -> list[UUID]:
    outcomes = enqueue_many(new, org=org, user=None)
    assert all(isinstance(outcome, Enqueued) for outcome in outcomes), outcomes
    return [outcome.job_id for outcome in outcomes if isinstance(outcome, Enqueued)]


def run(*job_ids: UUID, outcome: Outcome = Outcome.DONE, **fields: Any) -> None:
    """Run these, which must wait in the queue, and release what waits for them."""
    claims = [one for one in claim_all() if one.job_id in job_ids]
    assert {one.job_id for one in claims} == set(job_ids)
    finish([Ended(one, outcome, **fields) for one in claims], worker_name="tester-1")
    release_all()


def fail(*job_ids: UUID) -> None:
    run(*job_ids, outcome=Outcome.ERROR, error_type="ValueError", permanent=True)


def release_all(batch: int = 1_000) -> int:
    """Work off all there is, as the leader does; how many statements it took."""
    for count in range(1, 100):
        if not release(batch=batch).more:
            return count
    raise AssertionError("it does not come to an end")


def statuses(job_ids: Sequence[UUID]) -> list[str]:
    found = dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "status"))
    return [found[job_id] for job_id in job_ids]


def queued() -> set[UUID]:
    return set(Ready.objects.values_list("job_id", flat=True))


# --- any graph ------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    """What a job waits for, by their numbers, how it has ended, and what it is."""

    after: set[int] = field(default_factory=set)
    after_end: set[int] = field(default_factory=set)
    status: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


def any_graph(draw: random.Random, jobs: int) -> list[Node]:
    """Each waits for up to five of those before it: far or near, for success or for any end."""
    nodes = []
    for number in range(jobs):
        parents = draw.sample(range(number), min(number, draw.choice([0, 1, 1, 2, 2, 5])))
        after = {parent for parent in parents if draw.random() < 0.6}
        nodes.append(Node(after, set(parents) - after))
    return nodes


def store_graph(nodes: list[Node], org: Org) -> list[UUID]:
    """Jobs that are each tried twice, unless they say otherwise."""
    new = []
    for number, node in enumerate(nodes):
        after, after_end = [[str(parent) for parent in parents] for parents in (node.after, node.after_end)]
        new.append(NewJob(**{**PLAIN, "ref": str(number), "after": after, "after_end": after_end, **node.fields}))
    return store(org, *new)


def doomed(nodes: list[Node]) -> list[int]:
    """Those that asked for the success of a job that had none."""
    return [number for number, node in enumerate(nodes) if any(nodes[one].status != "done" for one in node.after)]


def assert_policy(nodes: list[Node]) -> None:
    """All have ended; and those that could not have what they asked for were cancelled."""
    assert [number for number, node in enumerate(nodes) if node.status not in OVER] == []
    assert [number for number in doomed(nodes) if nodes[number].status != "cancelled"] == []
