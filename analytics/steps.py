"""The first five minutes: steps that tick themselves when they were really taken."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from analytics import sql
from jobs.handlers.python_task import tasks
from jobs.ids import uuid7
from orgs.roles import Action
from orgs.scope import Scope

MOVES_BOUND = 2_000
# What the button breaks: a task that always fails, or where there is none, a call of a host that does not exist.
BROKEN_TASK = "demo.fail_always"
BROKEN_URL = "https://no-such-host.example/"


@dataclass(frozen=True, slots=True)
class Step:
    """`name` tells the template what to say; `job_id` is the newest of his that it is about."""

    name: str
    taken: bool
    job_id: UUID | None = None


def first_steps(scope: Scope, *, saw_model: bool) -> list[Step]:
    """The steps of a person who may submit; none when all are taken, or for one who only reads."""
    if not scope.can(Action.SUBMIT):
        return []
    actor = f"user:{scope.user.get_username()}"
    (lately,) = sql.run("steps", org_id=scope.org.pk, actor=actor, user_id=scope.user.pk, bound=MOVES_BOUND)
    steps = [
        Step("submit", lately["submitted"]),
        Step("watch", lately["done"], lately["newest"]),
        Step("replay", lately["replayed"], lately["dead"]),
        Step("api", lately["called"]),
        Step("model", saw_model),
    ]
    return [] if all(step.taken for step in steps) else steps


def broken_job() -> dict[str, Any]:
    """The fields of the submit form of a job that fails, is tried again and then is a dead letter."""
    fields = {"queue": "default", "title": "Broken on purpose", "max_attempts": 2, "retry_base_seconds": 1}
    fields |= {"retry_cap_seconds": 1, "once": uuid7().hex}
    if any(task.name == BROKEN_TASK for task in tasks()):
        return {"type": "python", "task": BROKEN_TASK, "kwargs": "{}", **fields}
    return {"type": "http", "method": "GET", "url": BROKEN_URL, **fields}
