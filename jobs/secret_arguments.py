"""Arguments that their task says are nobody's business, whatever they are called: @task(secret=("pin",)).

A payload says of which task it is, so that its arguments are hidden wherever it is shown, without a look elsewhere.
"""

from collections.abc import Container, Mapping
from typing import Any

from jobs.handlers import python_task

# The payload of a python job that has arguments, and of nothing else that we know of.
FIELDS = {"task", "kwargs"}
NONE: frozenset[str] = frozenset()


class Everything(Container[str]):
    def __contains__(self, name: object) -> bool:
        return True


# Of a task that is not known here, or no more: what it calls secret cannot be asked.
EVERYTHING = Everything()


def secret_arguments(value: Mapping[str, Any]) -> Container[str]:
    """Which of `kwargs` are not shown, where this is the payload of a python job."""
    if value.keys() != FIELDS or not isinstance(value["task"], str):
        return NONE
    found = python_task.known(value["task"])
    if found is None:
        return EVERYTHING
    return found.secret or NONE


def shown_arguments(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload without such arguments."""
    secret = secret_arguments(payload)
    if secret is NONE or not isinstance(payload["kwargs"], dict):
        return payload
    return {**payload, "kwargs": {name: one for name, one in payload["kwargs"].items() if name not in secret}}


def same_task(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """What one task hides may not be handed to another, which might tell."""
    return one.get("task") == other.get("task")


def is_secret_somewhere(path: tuple[str, ...]) -> bool:
    """Whether a task has a secret argument here: the names on the way to a value in its payload."""
    return len(path) > 1 and path[0] == "kwargs" and any(path[1] in one.secret for one in python_task.tasks())
