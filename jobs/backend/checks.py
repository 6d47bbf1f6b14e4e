"""What is wrong with an entry of TASKS, for manage.py check."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error

from jobs.queue.enqueue import QUEUE_NAME
from jobs.tasks_api import BaseTaskBackend
from orgs.models import SLUG_PATTERN


def whole(value: Any, cap: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= cap


def is_slug(value: Any) -> bool:
    return isinstance(value, str) and (not value or bool(re.match(SLUG_PATTERN, value)))


# By option: whether a value will do, and what it should be.
OPTIONS: dict[str, tuple[Callable[[Any], bool], Callable[[], str]]] = {
    "ORG": (is_slug, lambda: "the slug of an organisation"),
    "MAX_ATTEMPTS": (
        lambda value: whole(value, settings.MAX_ATTEMPTS_CAP),
        lambda: f"a whole number from 1 to {settings.MAX_ATTEMPTS_CAP}",
    ),
    "TIMEOUT_SECONDS": (
        lambda value: whole(value, settings.JOB_TIMEOUT_CAP_SECONDS),
        lambda: f"a whole number from 1 to {settings.JOB_TIMEOUT_CAP_SECONDS}",
    ),
}


def faults(backend: BaseTaskBackend) -> Iterator[CheckMessage]:
    where = f"TASKS[{backend.alias!r}]"
    if not apps.is_installed("jobs"):
        yield Error(f"{where} needs SmartQueue's app.", hint="Add 'jobs' to INSTALLED_APPS.", id="jobs.E001")
    for name, value in backend.options.items():
        if name not in OPTIONS:
            hint = f"There are: {', '.join(OPTIONS)}."
            yield Error(f"{where}: there is no option {name!r}.", hint=hint, id="jobs.E002")
        elif not OPTIONS[name][0](value):
            yield Error(f"{where}: {name} is {value!r}; it must be {OPTIONS[name][1]()}.", id="jobs.E003")
    for queue in sorted(map(str, backend.queues)):
        if not QUEUE_NAME.fullmatch(queue):
            hint = "1 to 40 lower-case letters, digits, dashes or underscores."
            yield Error(f"{where}: {queue!r} cannot be the name of a queue.", hint=hint, id="jobs.E004")
