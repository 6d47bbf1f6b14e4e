"""What can be done to many jobs at once: one table of kinds, each with the right it takes and the verb that does it.

A kind is added here, with its words in jobs.pages.bulk_words. Its verb is called within the transaction of a batch,
acts on those of the jobs that it can, and says what became of each; what it says nothing of was not as it needed it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from jobs.models import JobQuerySet, Lease
from jobs.queue import quotas, sql
from jobs.queue.callbacks import follow_soon
from jobs.queue.control import CANCEL_TRIES, replay_batch
from jobs.queue.delete import delete_some
from jobs.queue.move import move_some
from jobs.queue.new_job import MOST_TAGS, QUEUE_NAME, tag_faults
from jobs.queue.notify import command, wake
from jobs.queue.rerank import set_urgency
from jobs.queue.shares import spacing
from jobs.ranking import URGENCY_FACTOR
from jobs.search.index import index
from jobs.states import TERMINAL, Status
from orgs import audit
from orgs.roles import Action
from orgs.scope import Scope

WAITING = (Status.QUEUED, Status.SCHEDULED)
Parameters = Mapping[str, Any]
# Of each job that was acted on, in a few words.
Told = dict[UUID, str]


@dataclass(frozen=True, slots=True)
class Doing:
    """For whom, and as what, a batch is done."""

    scope: Scope
    parameters: Parameters
    reason: str = ""
    # Goes into each entry of the trail: which operation it is of.
    operation: str = ""
    request: HttpRequest | None = None
    # Of each job that was as the act needs it and that a limit kept from it, which.
    refused: Told = field(default_factory=dict)

    def record(self, action: str, told: Told, **detail: Any) -> None:
        if told:
            ids = [str(job_id) for job_id in told]
            target = ids[0] if len(ids) == 1 else f"{len(ids)} jobs"
            about = {"jobs": ids, "reason": self.reason, "operation": self.operation, **detail}
            audit.record(
                action, org=self.scope.org, actor=self.scope.user, target=target, request=self.request, **about
            )


def cancel(ids: Sequence[UUID], doing: Doing) -> Told:
    told: Told = {}
    running: list[UUID] = []
    for _ in range(CANCEL_TRIES):
        # one may move between the snapshot of a cancel and its write, being claimed or promoted
        left = [job_id for job_id in ids if job_id not in told]
        scope = doing.scope
        rows = sql.run(
            "cancel", job_ids=left, org_id=scope.org.pk, actor=scope.actor, reason=doing.reason[:200]
        ) if left else []  # fmt: skip
        for row in rows:
            told[row.job_id] = "cancelled" if row.became == "cancelled" else "asked to stop"
            if row.became == "cancelling":
                running.append(row.job_id)
        if not rows:
            break
    if told:
        follow_soon()
    command(Lease.objects.filter(job_id__in=running).values_list("worker_id", flat=True), "renew")
    doing.record("job.cancel", told)
    return told


def replay(ids: Sequence[UUID], doing: Doing) -> Told:
    room = quotas.room_for(doing.scope.org, len(ids))
    about = {"operation": doing.operation} | ({"reason": doing.reason} if doing.reason else {})
    done = replay_batch(ids, scope=doing.scope, request=doing.request, about=about, room=room)
    doing.refused.update(dict.fromkeys(done.refused, done.full.short if done.full else ""))
    return dict.fromkeys(done.ids, "queued again")


def delete(ids: Sequence[UUID], doing: Doing) -> Told:
    told = {job_id: f"deleted, was {status}" for job_id, status in delete_some(ids, scope=doing.scope).items()}
    doing.record("job.delete", told)
    return told


def change_urgency(ids: Sequence[UUID], doing: Doing) -> Told:
    urgency, told = doing.parameters["urgency"], {}
    for job_id in ids:
        if set_urgency(job_id, doing.scope.org, urgency, by=doing.scope.actor):
            told[job_id] = f"is {urgency} now"
    doing.record("job.urgency", told, new={"urgency": urgency})
    return told


def move(ids: Sequence[UUID], doing: Doing) -> Told:
    queue = doing.parameters["queue"]
    told = {job_id: f"from {was}" for job_id, was in move_some(ids, queue, scope=doing.scope).items()}
    doing.record("job.move", told, new={"queue": queue})
    return told


def run_now(ids: Sequence[UUID], doing: Doing) -> Told:
    scope = doing.scope
    note = f"run now: {doing.reason}"[:200] if doing.reason else "run now"
    rows = sql.run("run_now", job_ids=list(ids), org_id=scope.org.pk, actor=scope.actor, reason=note, **spacing())
    wake((row.queue, row.rank) for row in rows)
    told = {row.job_id: f"queued, was due at {row.was_due_at:%Y-%m-%dT%H:%M:%SZ}" for row in rows}
    doing.record("job.run_now", told)
    return told


def tag(ids: Sequence[UUID], doing: Doing) -> Told:
    return tagged(ids, doing, doing.parameters["tag"], adds=True)


def untag(ids: Sequence[UUID], doing: Doing) -> Told:
    return tagged(ids, doing, doing.parameters["tag"], adds=False)


def tagged(ids: Sequence[UUID], doing: Doing, word: str, *, adds: bool) -> Told:
    rows = sql.run("tag", job_ids=list(ids), org_id=doing.scope.org.pk, tag=word, adds=adds, most=MOST_TAGS)
    told = {row.job_id: f"{'has' if adds else 'has no longer'} {word}" for row in rows}
    # no move tells the index of it; the leader, which is here, is also who follows the moves, so neither is overtaken
    index(told)
    doing.record("job.tag" if adds else "job.untag", told, tag=word)
    return told


def unended(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    return jobs.filter(status__in=WAITING)


def put_off(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    """Scheduled ones, retries too; not those that wait for others."""
    return jobs.filter(status=Status.SCHEDULED, waiting_on=0)


def failed(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    return jobs.dead_letters().filter(failed_at__lte=until)


def ended(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    return jobs.filter(status__in=TERMINAL, finished_at__lte=until)


def without(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    return jobs.exclude(tags__contains=[parameters["tag"]]) if parameters.get("tag") else jobs


def having(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    return jobs.filter(tags__contains=[parameters["tag"]]) if parameters.get("tag") else jobs


def other(jobs: JobQuerySet, until: datetime, parameters: Parameters) -> JobQuerySet:
    """Waiting ones that are not so already; all of them, while it has not been said how they are to be."""
    said = {name: value for name, value in parameters.items() if value}
    waiting = jobs.filter(status__in=WAITING)
    return waiting.exclude(**said) if said else waiting


def no_fault(parameters: Parameters) -> tuple[str, str] | None:
    return None


def urgency_fault(parameters: Parameters) -> tuple[str, str] | None:
    if parameters["urgency"] not in URGENCY_FACTOR:
        return "urgency", f"One of {', '.join(URGENCY_FACTOR)}."
    return None


def queue_fault(parameters: Parameters) -> tuple[str, str] | None:
    if not QUEUE_NAME.fullmatch(str(parameters["queue"])):
        return "queue", "1 to 40 lower-case letters, digits, dashes or underscores."
    return None


def tag_fault(parameters: Parameters) -> tuple[str, str] | None:
    faults = tag_faults([parameters["tag"]])
    return ("tag", faults[0][1]) if faults else None


@dataclass(frozen=True, slots=True)
class Kind:
    action: Action
    # Which jobs, of those that match, it is about.
    about: Callable[[JobQuerySet, datetime, Parameters], JobQuerySet]
    act: Callable[[Sequence[UUID], Doing], Told]
    # Asked for from the pages it begins a little later, so that it can be undone.
    undoable: bool = False
    # Names of parameters, all needed, and what is wrong with them: (name, sentence).
    parameters: tuple[str, ...] = ()
    fault: Callable[[Parameters], tuple[str, str] | None] = no_fault
    # Of a verb that takes a statement for each job.
    most: int = 1_000


KINDS: dict[str, Kind] = {
    "cancel": Kind(Action.CANCEL, unended, cancel, undoable=True),
    "replay": Kind(Action.REPLAY, failed, replay),
    "run_now": Kind(Action.CHANGE, put_off, run_now),
    "delete": Kind(Action.DELETE, ended, delete, undoable=True),
    "urgency": Kind(Action.CHANGE, other, change_urgency, parameters=("urgency",), fault=urgency_fault, most=100),
    "queue": Kind(Action.CHANGE, other, move, parameters=("queue",), fault=queue_fault),
    "tag": Kind(Action.CHANGE, without, tag, parameters=("tag",), fault=tag_fault),
    "untag": Kind(Action.CHANGE, having, untag, parameters=("tag",), fault=tag_fault),
}
