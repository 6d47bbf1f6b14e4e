"""Which jobs a new job waits for, and on what condition.

The rows of the parents are locked while their children are stored: either a parent's end finds that it has dependents,
or the child finds that the parent has ended. A job's end waits that long for the enqueue's transaction.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from jobs.errors import InvalidJob, QueueError
from jobs.models import Dependency, Job
from jobs.queue import sql
from jobs.queue.new_job import NewJob, as_id
from jobs.states import TERMINAL, Status
from orgs.models import Org

# A job that is stored, or the place in the call of one that will be.
Parent = UUID | int
SUCCESS, END = Dependency.SUCCESS, Dependency.END


@dataclass
class Plan:
    """By place in the call: what each job waits for; and why some cannot be accepted after all."""

    waits: dict[int, dict[Parent, str]] = field(default_factory=dict)
    refused: dict[int, QueueError] = field(default_factory=dict)
    # Parents that have ended, but not as their children need it: those will be cancelled.
    over: set[UUID] = field(default_factory=set)

    @property
    def named(self) -> set[int]:
        """The places of the jobs that others of the call wait for."""
        return {parent for waits in self.waits.values() for parent in waits if isinstance(parent, int)}


def planned(new: Sequence[NewJob], refused: Collection[int], earlier: Mapping[int, UUID], org: Org) -> Plan:
    """Lock the parents and see what is left to wait for. `earlier` are places whose jobs were there before."""
    plan = Plan()
    ids = {parent_id for one in new for _, _, word in wishes(one) if (parent_id := as_id(word))}
    statuses = locked(ids | set(earlier.values()), org)
    places: dict[str, int] = {}
    keys: set[str] = set()
    for place, one in enumerate(new):
        if one.ref in places:
            plan.refused[place] = InvalidJob([("/ref", "An earlier job of this call has this ref.")])
        elif place not in refused:
            found = Finder(plan, places, {*refused, *plan.refused}, earlier, statuses)
            if errors := list(found.waits_of(place, one)):
                plan.refused[place] = InvalidJob(errors)
                plan.waits.pop(place, None)
        if one.ref and one.idempotency_key not in keys:
            places.setdefault(one.ref, place)
        if one.idempotency_key is not None:
            keys.add(one.idempotency_key)
    return plan


def wishes(new: NewJob) -> Iterator[tuple[str, str, UUID | str]]:
    """(JSON pointer, condition, which job); the stricter condition comes last."""
    for name, condition, words in (("after_end", END, new.after_end), ("after", SUCCESS, new.after)):
        for index, word in enumerate(words):
            yield f"/{name}/{index}", condition, word


def locked(ids: Collection[UUID], org: Org) -> dict[UUID, str]:
    """The status of each job that there is; in one order, so that two calls do not wait for each other."""
    if not ids:
        return {}
    rows = Job.objects.for_org(org).filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return dict(rows.values_list("pk", "status"))


@dataclass
class Finder:
    """Looks up the parents of the jobs of one call."""

    plan: Plan
    places: Mapping[str, int]
    refused: Collection[int]
    earlier: Mapping[int, UUID]
    statuses: Mapping[UUID, str]

    def waits_of(self, place: int, new: NewJob) -> Iterator[tuple[str, str]]:
        """Write down what it waits for; yields what is wrong with it."""
        waits: dict[Parent, str] = {}
        for pointer, condition, word in wishes(new):
            parent = as_id(word) or self.places.get(str(word))
            if isinstance(parent, int) and parent in self.refused:
                yield pointer, f"The job {word!r} of this call was refused."
                continue
            if isinstance(parent, int):
                parent = self.earlier.get(parent, parent)
            if parent is None:
                yield pointer, f"No job before this one has the ref {str(word)!r:.70}."
            elif isinstance(parent, UUID) and parent not in self.statuses:
                yield pointer, "There is no such job."
            elif not self.is_met(parent, condition):
                waits[parent] = condition
        if waits:
            self.plan.waits[place] = waits

    def is_met(self, parent: Parent, condition: str) -> bool:
        """Whether there is nothing left to wait for."""
        status = self.statuses.get(parent) if isinstance(parent, UUID) else None
        if status not in TERMINAL:
            return False
        if status == Status.DONE or condition == END:
            return True
        self.plan.over.add(parent)  # type: ignore[arg-type]
        return False


def tie(plan: Plan, fresh: Mapping[int, UUID], org: Org) -> None:
    """Store what the new jobs wait for. One that was there before keeps what it waits for."""
    rows = [
        (fresh[place], fresh[parent] if isinstance(parent, int) else parent, condition)
        for place, waits in plan.waits.items()
        if place in fresh
        for parent, condition in waits.items()
    ]
    if rows:
        children, parents, conditions = columns(rows)
        sql.run("tie", children=children, parents=parents, conditions=conditions, org_id=org.pk)


def columns(rows: Iterable[tuple[UUID, UUID, str]]) -> tuple[list[UUID], list[UUID], list[str]]:
    children, parents, conditions = zip(*rows, strict=True)
    return list(children), list(parents), list(conditions)
