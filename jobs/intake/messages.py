"""A message as a new job, read as the body of a submit is; and a job stored as if its key had called the API."""

from functools import cache
from typing import Any, NamedTuple

from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from jobs.api.faults import Fault, fault, first, of_detail, of_error
from jobs.api.fields import TextField
from jobs.api.serializers import NewJobSerializer, new_job
from jobs.errors import QueueError, QueueFull
from jobs.intake.sources import Message
from jobs.queue.enqueue import NewJob, enqueue
from jobs.queue.new_job import MAX_LENGTHS
from jobs.strict_json import NotStrict, loads
from orgs import rates
from orgs.good_keys import key_of
from orgs.models import ApiKey
from orgs.roles import Action, KeyRole
from orgs.scope import Scope, key_scope
from orgs.serializers import StrictSerializer


class Refused(Exception):
    """No job can be made of this message, however often it comes."""

    def __init__(self, why: list[Fault]) -> None:
        super().__init__()
        self.why = why


class KeyNotGood(Exception):
    """The source's key opens nothing at this moment: unknown, revoked, expired, or a worker's."""


class MessageSerializer(StrictSerializer):
    """There is no organisation in it: that is the key's."""

    key = TextField(required=False, max_length=MAX_LENGTHS["idempotency_key"])
    job = NewJobSerializer()


@cache
def message_serializer() -> MessageSerializer:
    """One for all: a new one copies each of its fields, which takes longer than storing the job."""
    return MessageSerializer()


class Caller(NamedTuple):
    """In whose name a source submits at this moment."""

    scope: Scope
    request: HttpRequest


def caller(token: str) -> Caller:
    """Read anew each time, so that a key counts no longer than it is good.

    Raises KeyNotGood, and PermissionDenied (OrgNotActive) for what its role or its organisation's state leaves out.
    """
    key: ApiKey | None = key_of(token)
    if key is None or key.role == KeyRole.WORKER:
        raise KeyNotGood
    scope = key_scope(key)
    scope.require(Action.SUBMIT)
    request = HttpRequest()
    # what rates and the audit trail ask of a request
    request.auth = key  # type: ignore[attr-defined]
    return Caller(scope, request)


def submit(message: Message, by: Caller) -> bool:
    """Stored, and whether it is new. Raises Refused; RateLimited and QueueFull for what passes by itself."""
    new = read(message)
    rates.submitting(by.request, by.scope)
    try:
        found = enqueue(new, org=by.scope.org, user=by.scope.user, role=by.scope.role, actor=by.scope.actor)
    except QueueFull:
        raise
    except QueueError as error:
        raise Refused(first(of_error(error)) or [fault("", error.code, error.detail)]) from error
    return found.created


def read(message: Message) -> NewJob:
    """Raises Refused."""
    try:
        sent: dict[str, Any] = message_serializer().run_validation(loads(message.body))
    except NotStrict as error:
        raise Refused([fault("", "parse_error", f"Malformed JSON: {error}")]) from error
    except ValidationError as error:
        raise Refused(first(of_detail(error.detail))) from error
    return new_job(dict(sent["job"]), sent.get("key") or message.id)
