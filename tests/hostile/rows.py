"""acme with a row in every table that can hold text of somebody's."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from jobs.models import (
    Attempt,
    BulkOperation,
    ClassifierCount,
    ClassifierVersion,
    Follower,
    Job,
    Label,
    Learning,
    ListSettings,
    Release,
    Schedule,
    ScheduleTick,
)
from jobs.queue.batches import Callback, enqueue_batch
from jobs.queue.control import pause
from jobs.queue.enqueue import NewJob
from jobs.queue.lease import report
from jobs.search.index import count_errors, index
from jobs.states import Outcome
from orgs import audit
from orgs.models import Membership, User
from orgs.roles import Role
from orgs.scope import Scope
from tests.analytics.rows import make_process, make_term, roll_up
from tests.conftest import World
from tests.factories import (
    WORKER,
    claim_all,
    finish_one,
    make_dead_letter,
    make_history,
    make_hour,
    make_job,
)
from tests.rights.things import Names, make_artefact, make_jobs, make_people

STATES = ("done", "failed", "running", "queued", "scheduled")


@dataclass
class Filled:
    world: World
    # What routes call by which name, for all of them and for some by their own.
    names: Names
    own: dict[str, Names]
    # Jobs, by what became of them.
    ids: dict[str, str]


def make_summed(world: World) -> None:
    """What the leader makes of jobs and attempts, words to find them by and roll-ups; and how a list is looked at."""
    Follower.objects.create(name="errors", final_id=Attempt.objects.latest("pk").pk)
    count_errors()
    index(Job.objects.values_list("pk", flat=True))
    roll_up()
    owner = Membership.objects.get(user=world.owner, org=world.org)
    ListSettings.objects.create(org=world.org, member=owner, columns=["queue"])
    # nobody leads here, and a page says so once an operation should have begun
    BulkOperation.objects.update(next_at=timezone.now() + timedelta(days=1))
    Release.objects.create(version="v", seen_at=timezone.now())


def fill(world: World) -> Filled:
    # before there is a limit
    ids = make_ends(world)
    shared = make_people(world)
    jobs, own = make_jobs(world)
    again = Callback(NewJob("python", {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, title="t"))
    enqueue_batch([again.job], org=world.org, user=world.owner, callback=again, name="n")
    make_pool(world)
    make_taught(world, ids["done"])
    scope = Scope(world.owner, world.org, Role.ORG_ADMIN)
    pause("default", scope=scope, reason="why")
    audit.record(
        "job.submit", org=world.org, actor=world.owner, target=ids["done"], correlation_id="c", old="a", new="b"
    )
    User.objects.filter(pk=world.platform_admin.pk).update(active_org=world.org)
    make_summed(world)
    return Filled(world, jobs | shared, own, ids)


def make_ends(world: World) -> dict[str, str]:
    """A job in every state, with what a worker said of it."""
    user, org = world.operator, world.org
    about = {"title": "t", "description": "d", "category": "Network", "idempotency_key": "k", "limit_key": "l"}
    done = make_job(org, user=user, **about)
    (claimed,) = claim_all()
    report(lines=lines_of(claimed.token), progress=[])
    finish_one(claimed, Outcome.DONE, result={"a": "b", "list": ["c"]})
    make_artefact(world, "made", job_id=done.pk, attempt=1)
    failed = make_dead_letter(org, user=user, title="t", description="d")
    told = {"category": "Network", "urgency": "low", "confidence": 0.9, "urgency_confidence": 0.9, "source": "model"}
    told |= {"action": "look", "words": ["net"], "probabilities": {"Network": 0.9}, "given": []}
    Job.objects.filter(pk=failed.pk).update(classification=told)
    running = make_job(org, user=user, title="t")
    (claimed,) = claim_all()
    progress = [{"token": str(claimed.token), "progress": 0.5, "progress_message": "half"}]
    report(lines=lines_of(claimed.token), progress=progress)
    queued = make_job(org, user=user, title="t")
    scheduled = make_job(org, user=user, retry={"base_seconds": 5.0}, after=(queued.pk,))
    found = dict(zip(STATES, (done, failed, running, queued, scheduled), strict=True))
    return {name: str(job.pk) for name, job in found.items()}


def lines_of(token: Any) -> list[dict[str, Any]]:
    said = enumerate(("log", "stdout", "stderr"), 1)
    return [
        {"token": str(token), "sequence": number, "stream": stream, "text": "said", "age_seconds": 0}
        for number, stream in said
    ]


def make_pool(world: World) -> None:
    # never late, however long all of this takes
    beat = timezone.now() + timedelta(hours=1)
    make_process(queues=["default"], beat_at=beat)
    make_process(id="018f0000-0000-7000-8000-0000000000a1", kind="scheduler", beat_at=beat)
    make_term(-3_600, process_id=WORKER)


def make_taught(world: World, job_id: str) -> None:
    """What was learned of jobs, and what people said about them."""
    org = world.org
    make_history(org, [1000, 2000])
    make_hour(org)
    Learning.objects.update_or_create(org_id=org.pk, defaults={"failures": 1, "error": "broken"})
    Label.objects.create(
        org=org, job_id=job_id, digest="d", type="python", title="t", category="Network", told_category="Database",
        told_urgency="low", urgency="high", by=world.owner,
    )  # fmt: skip
    ClassifierVersion.objects.create(
        org=org, version=1, weights=b"", categories=["Network"], labels=1, metrics={"correct": 1.0}
    )
    ClassifierCount.objects.get_or_create(org_id=org.pk)
    ScheduleTick.objects.create(
        schedule=Schedule.objects.get(), at=Now(), fired_at=Now(), outcome="refused", error="broken", epoch=1
    )
