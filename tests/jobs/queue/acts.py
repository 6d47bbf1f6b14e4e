"""What tests of the verbs do again and again."""

from typing import Any

from jobs.models import Job
from jobs.queue.claim import Claimed
from jobs.queue.enqueue import Enqueued, NewJob, enqueue
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import claim_all, make_job, make_member


def new_job(**fields: Any) -> NewJob:
    return NewJob(**{"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **fields})


def enqueue_as(org: Org, **fields: Any) -> Enqueued:
    return enqueue(new_job(**fields), org=org, user=None)


def claimed_job(world: World, **fields: Any) -> tuple[Job, Claimed]:
    job = make_job(world.org, **fields)
    return job, next(one for one in claim_all() if one.job_id == job.pk)


def scope_of(world: World, role: Role = Role.ORG_ADMIN) -> Scope:
    return Scope(world.owner, world.org, role)


def own_scope(org: Org) -> Scope:
    return Scope(make_member(org, Role.ORG_ADMIN), org, Role.ORG_ADMIN)
