"""What a caller asks for, and why it may be refused: the same checks for REST, pages, Python and callbacks."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from jobs import ranking, retries
from jobs.categories import categories_of
from jobs.errors import InvalidJob, InvalidPayload, QueueError
from jobs.handlers import registry
from jobs.handlers.base import Handler
from jobs.hiding import mask_faults
from jobs.masking import MASK
from jobs.references import OPEN, Known, reference_faults
from jobs.strict_json import UNSTORABLE, NotStrict, dumps, written
from orgs import limit_hits
from orgs.models import Org
from orgs.roles import Action, Role, can

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MAX_LENGTHS = {"name": 64, "title": 200, "description": 10_000, "idempotency_key": 255, "limit_key": 64, "ref": 64}
TAG = re.compile(r"[a-z0-9._:-]{1,40}")
MOST_TAGS = 10
# Its name among the limits that are hit.
PAYLOAD_SIZE = "payload_size"
# How many others one job may wait for; beyond that, a batch with a callback.
MAX_PARENTS = 1_000


@dataclass(frozen=True, slots=True)
class NewJob:
    """What a caller asks for. Durations are in seconds; None means the deployment's default."""

    type: str
    payload: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    queue: str = "default"
    title: str = ""
    description: str = ""
    # high, medium or low; empty: medium, unless its text is found to say otherwise.
    urgency: str = ""
    category: str = ""
    # Words to find it by.
    tags: Sequence[str] = ()
    run_at: datetime | None = None
    delay_seconds: float | None = None
    timeout_seconds: int | None = None
    max_attempts: int | None = None
    # When it is tried again: {"base_seconds": …, "cap_seconds": …}, either or both.
    retry: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    # Jobs of one key share the limits that the organisation has set for it.
    limit_key: str = ""
    # Jobs it waits for until they are done: ids of earlier jobs, or the `ref` of one before it in the same call.
    after: Sequence[UUID | str] = ()
    # Jobs it waits for until they have ended, be it done, failed or cancelled.
    after_end: Sequence[UUID | str] = ()
    # What later jobs of the same call name it by.
    ref: str = ""
    # Ranked so much of the way to the first of what is queued with it, or to the last where negative: within (-1, 1).
    head_start: float = 0.0

    @property
    def waits(self) -> bool:
        return bool(self.after or self.after_end)

    @property
    def first_urgency(self) -> str:
        """That it is stored with."""
        return self.urgency or ranking.USUAL_URGENCY

    @property
    def to_classify(self) -> str:
        """Which of "category urgency" its text is to tell: what the caller left open, where there is a text."""
        if not self.title and not self.description:
            return ""
        return " ".join(name for name in ("category", "urgency") if not getattr(self, name))


def refusal(new: NewJob, org: Org, role: str = Role.ORG_ADMIN, known: Known | None = None) -> QueueError | None:
    """Why this job cannot be accepted of somebody with this role, or None. `known` spares many jobs a look each."""
    try:
        handler = registry.get(new.type)
        if errors := faults(new, role) + payload_limit_faults(new.payload, org) + category_faults(new, org):
            return InvalidJob(errors)
        check_payload(handler, new.payload, org, known)
        check_role(handler, new.payload, role)
    except QueueError as error:
        return error
    return None


def check_role(handler: Handler, payload: dict[str, Any], role: str) -> None:
    """Raise InvalidPayload for what takes another role than that of whoever asks."""
    action = handler.action_needed(payload)
    if action and not can(role, Action(action)):
        raise InvalidPayload([("", f"Your role is {role}; it does not allow {action}, which this takes.")])


def check_payload(handler: Handler, payload: dict[str, Any], org: Org, known: Known | None = None) -> None:
    """Raises InvalidPayload. It is JSON, and its references are still that."""
    text = written(payload)
    found: list[tuple[str, str]] = []
    if OPEN in text and handler.secret_fields != ():
        found += reference_faults(payload, handler.secret_fields, known or Known(org))
    if MASK in text:
        found += mask_faults(payload)
    if found:
        raise InvalidPayload(found)
    handler.check(payload, org.all_job_settings)


def faults(new: NewJob, role: str) -> list[tuple[str, str]]:
    """What is wrong with the fields that all types share: (JSON pointer, sentence)."""
    found = []
    for name, limit in MAX_LENGTHS.items():
        text = getattr(new, name)
        if text and (len(text) > limit or UNSTORABLE.search(text)):
            found.append((f"/{name}", f"At most {limit} characters, none of them NUL."))
    if new.idempotency_key == "":
        found.append(("/idempotency_key", "May not be empty."))
    if not QUEUE_NAME.fullmatch(new.queue):
        found.append(("/queue", "1 to 40 lower-case letters, digits, dashes or underscores."))
    if new.first_urgency not in ranking.URGENCY_FACTOR:
        found.append(("/urgency", "One of high, medium, low."))
    if new.timeout_seconds is not None or new.max_attempts is not None:
        timeout_cap, attempts_cap = caps(role)
        found += bounds("timeout_seconds", new.timeout_seconds, 1, timeout_cap)
        found += bounds("max_attempts", new.max_attempts, 1, attempts_cap)
    if new.retry:
        found += retries.faults(new.retry)
    if new.tags:
        found += tag_faults(new.tags)
    return found + due_faults(new) + waiting_faults(new)


def tag_faults(tags: Sequence[str]) -> list[tuple[str, str]]:
    if len(tags) > MOST_TAGS:
        return [("/tags", f"At most {MOST_TAGS} tags.")]
    text = "1 to 40 lower-case letters, digits, dots, underscores, colons or dashes."
    return [(f"/tags/{place}", text) for place, tag in enumerate(tags) if not TAG.fullmatch(str(tag))]


def category_faults(new: NewJob, org: Org) -> list[tuple[str, str]]:
    if not new.category or new.category in (known := categories_of(org)):
        return []
    return [("/category", f"One of {', '.join(known)}.")]


def caps(role: str) -> tuple[int, int]:
    """The longest timeout in seconds and the most attempts that this role may ask for."""
    if role == Role.ORG_ADMIN:
        return settings.JOB_TIMEOUT_CAP_SECONDS, settings.MAX_ATTEMPTS_CAP
    return (
        min(settings.OPERATOR_TIMEOUT_CAP_SECONDS, settings.JOB_TIMEOUT_CAP_SECONDS),
        min(settings.OPERATOR_MAX_ATTEMPTS_CAP, settings.MAX_ATTEMPTS_CAP),
    )


def bounds(name: str, value: float | None, low: float, high: float) -> list[tuple[str, str]]:
    if value is None or low <= value <= high:
        return []
    return [(f"/{name}", f"From {low:g} to {high:g}.")]


def due_faults(new: NewJob) -> list[tuple[str, str]]:
    if new.run_at is None and new.delay_seconds is None:
        return []
    if new.run_at is not None and new.delay_seconds is not None:
        return [("/delay_seconds", "Give run_at or delay_seconds, not both.")]
    limit = timedelta(days=settings.MAX_DELAY_DAYS)
    if new.run_at is not None and timezone.is_naive(new.run_at):
        return [("/run_at", "Give a time zone.")]
    # The host's clock only bounds what is accepted; whether the job is due is the database's to say.
    if new.run_at is not None and not -limit <= new.run_at - timezone.now() <= limit:
        return [("/run_at", f"Within {settings.MAX_DELAY_DAYS} days of now.")]
    return bounds("delay_seconds", new.delay_seconds, 0, limit.total_seconds())


def waiting_faults(new: NewJob) -> list[tuple[str, str]]:
    """Whether the jobs it waits for exist is seen when it is stored."""
    found = []
    if new.ref and as_id(new.ref):
        found.append(("/ref", "A word, not an id."))
    if len(new.after) + len(new.after_end) > MAX_PARENTS:
        found.append(("/after", f"At most {MAX_PARENTS} jobs, after and after_end together."))
    if new.waits and (new.run_at is not None or new.delay_seconds is not None):
        found.append(("/after", "Give a time or jobs to wait for, not both."))
    return found


def as_id(word: UUID | str) -> UUID | None:
    """The id that this is; None for a `ref`."""
    try:
        return word if isinstance(word, UUID) else UUID(word)
    except ValueError:
        return None


def payload_limit_faults(payload: dict[str, Any], org: Org) -> list[tuple[str, str]]:
    limit = settings.PAYLOAD_MAX_BYTES
    try:
        size = len(dumps(payload).encode())
    except NotStrict as error:
        return [("/payload", f"Not JSON: {error}.")]
    if size <= limit:
        return []
    limit_hits.note(org.pk, PAYLOAD_SIZE)
    return [("/payload", f"{size} bytes of JSON; at most {limit} are allowed.")]


def canonical(value: Any) -> bytes:
    """The one way a JSON value is written here, for its size and its fingerprint."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def fingerprint(new: NewJob) -> str:
    """What must be alike for a repeat to be a repeat: everything the caller asked for."""
    asked = {name: getattr(new, name) for name in NewJob.__dataclass_fields__ if name != "idempotency_key"}
    # as JSON says it: a caller in Python may give a UUID, say
    asked["payload"] = json.loads(dumps(new.payload))
    asked["urgency"] = new.first_urgency
    asked["run_at"] = new.run_at.isoformat() if new.run_at else None
    for name in ("after", "after_end"):
        asked[name] = [str(word) for word in asked[name]]
    # what came later to a job is left out where it is not used: a key keeps its meaning over an upgrade
    asked["tags"] = list(asked["tags"])
    for name in ("limit_key", "after", "after_end", "retry", "tags"):
        if not asked[name]:
            del asked[name]
    del asked["ref"]
    if not new.head_start:
        del asked["head_start"]
    return hashlib.sha256(canonical(asked)).hexdigest()
