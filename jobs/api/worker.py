"""The calls of an organisation's own workers, which have a key and no database."""

import time
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api import worker_shapes as shapes
from jobs.handlers.results import BadResult, json_result
from jobs.models import Attempt, Job
from jobs.processes import outside
from jobs.processes.waiting_room import Waiter, waiting_room
from jobs.queue import external
from jobs.queue.claim import Claimed
from jobs.queue.external import Puller
from jobs.queue.lease import give_back
from jobs.queue.leases import Handle, handle, name_of
from jobs.states import Outcome
from orgs.authentication import KeyAuthentication
from orgs.good_keys import good_keys
from orgs.models import ApiKey
from orgs.permissions import HoldsWorkerKey, MayClaim

RETRY_AFTER_SECONDS = "2"
COMMAND_HEADER = shapes.COMMAND_HEADER


class WorkerView(APIView):
    """A call with a worker's key: what is not of the key's organisation does not exist for it."""

    authentication_classes = [KeyAuthentication]
    permission_classes = [HoldsWorkerKey]

    @property
    def key(self) -> ApiKey:
        assert isinstance(self.request.auth, ApiKey)
        return self.request.auth

    def handle(self, lease: str) -> Handle:
        """Raises LeaseNotFound."""
        return handle(lease, self.key.org_id)


# --- Claims ---------------------------------------------------------------------------------------------------------


class ClaimsView(WorkerView):
    permission_classes = [MayClaim]

    @shapes.claims
    def post(self, request: Request) -> Response:
        sent = shapes.ClaimSerializer.read(request)
        puller = Puller(self.key.org_id, sent["worker"])
        version = request.headers.get("User-Agent", "")
        slots = sent["slots"] + len(sent.get("holding", []))
        external.beat(puller, queues=sent["queues"], slots=slots, version=version)
        self.give_back_unknown(puller, sent.get("holding"))
        if command := external.told(puller):
            return Response(status=204, headers={COMMAND_HEADER: command, "Retry-After": RETRY_AFTER_SECONDS})
        asked = {
            "queues": sent["queues"],
            "slots": sent["slots"],
            "lease_seconds": sent.get("lease_seconds", settings.LEASE_SECONDS),
        }
        if taken := external.pull(puller, **asked):
            return Response(claimed_shape(taken))
        if not sent["wait_seconds"]:
            return Response(status=204)
        return self.waited(puller, asked, sent["wait_seconds"])

    def give_back_unknown(self, puller: Puller, holding: Sequence[str] | None) -> None:
        """What was leased in an answer that the worker did not get need not wait for its lease to end."""
        if holding is not None:
            known = [self.handle(lease).token for lease in holding]
            give_back(worker_id=puller.id, known=known, worker_name=puller.name)

    def waited(self, puller: Puller, asked: dict[str, Any], seconds: float) -> Response:
        """The answer when there is something, or when the time is over."""
        waiter = Waiter(puller, asked["queues"])
        if not waiting_room.enter(waiter):
            return Response(status=204, headers={"Retry-After": RETRY_AFTER_SECONDS})
        try:
            taken = self.take_when_woken(waiter, asked, time.monotonic() + seconds)
        finally:
            waiting_room.leave(waiter)
        return Response(claimed_shape(taken)) if taken else Response(status=204)

    def take_when_woken(self, waiter: Waiter, asked: dict[str, Any], end: float) -> list[Claimed]:
        while (left := end - time.monotonic()) > 0:
            # a connection that waits is one that nobody else has
            connection.close()
            if not waiter.woken.wait(left):
                break
            waiter.woken.clear()
            if external.takes_no_more(waiter.puller) or not good_keys().filter(pk=self.key.pk).exists():
                break
            if taken := external.pull(waiter.puller, **asked):
                return taken
        return []


def claimed_shape(taken: Sequence[Claimed]) -> Any:
    times = external.times_of(taken)
    jobs = [
        {
            **one._asdict(),
            "lease": name_of(one),
            "lease_expires_at": times[one.job_id].expires_at,
            "deadline_at": times[one.job_id].deadline_at,
        }
        for one in taken
        # what is gone already, with its organisation say, is nobody's work
        if one.job_id in times
    ]
    return shapes.ClaimsSerializer({"jobs": jobs}).data


class DepartureView(WorkerView):
    @shapes.departure
    def post(self, request: Request) -> Response:
        sent = shapes.DepartureSerializer.read(request)
        external.depart(Puller(self.key.org_id, sent["worker"]), draining=sent["draining"])
        return Response(status=204)


# --- Leases ---------------------------------------------------------------------------------------------------------


class RenewalView(WorkerView):
    @shapes.renewal
    def post(self, request: Request, lease: str) -> Response:
        sent = shapes.RenewalSerializer.read(request)
        extended = external.extend(self.handle(lease), sent.get("lease_seconds", settings.LEASE_SECONDS))
        shown = {
            "lease_expires_at": extended.expires_at,
            "deadline_at": extended.deadline_at,
            "cancel_requested": extended.cancel_requested,
            "command": extended.asked if extended.asked in external.STOPPING else None,
        }
        return Response(shapes.RenewedSerializer(shown).data)


class FinishView(WorkerView):
    @shapes.finish
    def post(self, request: Request, lease: str) -> Response:
        sent = shapes.FinishSerializer.read(request)
        try:
            result = json_result(sent["result"])
        except BadResult as error:
            raise serializers.ValidationError({"result": [str(error)]}, "bad_result") from error
        return ended(self.handle(lease), Outcome.DONE, result=result)


class FailureView(WorkerView):
    @shapes.failure
    def post(self, request: Request, lease: str) -> Response:
        sent = shapes.FailureSerializer.read(request)
        return ended(
            self.handle(lease),
            Outcome.ERROR,
            error_type=sent["error_type"],
            error=sent["error"],
            permanent=sent["permanent"],
            retry_seconds=sent.get("retry_after_seconds"),
        )


class ReleaseView(WorkerView):
    @shapes.release
    def post(self, request: Request, lease: str) -> Response:
        shapes.ReleaseSerializer.read(request)
        return ended(self.handle(lease), Outcome.RELEASED)


def ended(handle: Handle, outcome: Outcome, **fields: Any) -> Response:
    """End the attempt, and say what became of it. Raises LeaseLost."""
    fresh = external.end(handle, outcome, **fields)
    attempt = Attempt.objects.get(org_id=handle.org_id, job_id=handle.job_id, number=handle.attempt)
    job = Job.objects.with_state().only("id", "status").get(pk=handle.job_id)
    shown = {
        "job_id": handle.job_id,
        "attempt": handle.attempt,
        "outcome": attempt.outcome,
        "status": job.state,
        "repeated": not fresh,
    }
    return Response(shapes.EndedSerializer(shown).data)


class LogView(WorkerView):
    @shapes.notes
    def post(self, request: Request, lease: str) -> Response:
        sent = shapes.NoteSerializer.read(request)
        last = outside.note(
            self.handle(lease),
            [(line["stream"], line["text"]) for line in sent["lines"]],
            first=sent.get("first"),
            progress=(sent["progress"], sent["message"]) if "progress" in sent else None,
        )
        return Response(shapes.NotedSerializer({"last": last}).data)


class FileTooLarge(APIException):
    status_code = 413
    default_code = "body_too_large"
    default_detail = "The file is too large."


class AnyParser(BaseParser):
    """The bytes, whatever they are."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        data: bytes = stream.read(settings.ARTEFACT_MAX_BYTES + 1)
        if len(data) > settings.ARTEFACT_MAX_BYTES:
            raise FileTooLarge(f"A file has at most {settings.ARTEFACT_MAX_BYTES} bytes.")
        return data


class ArtefactsView(WorkerView):
    parser_classes = [AnyParser]

    @shapes.artefacts
    def post(self, request: Request, lease: str) -> Response:
        query = shapes.FileQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        name = query.validated_data["name"]
        # nothing sent is read as an empty form
        sent: object = request.data
        data = sent if isinstance(sent, bytes) else b""
        content_type = request.content_type or "application/octet-stream"
        try:
            kept, fresh = outside.keep_file(self.handle(lease), name, data, content_type)
        except ValueError as error:
            raise serializers.ValidationError({"name": [str(error)]}, "bad_file") from error
        shown = {"id": kept, "name": name, "size_bytes": len(data)}
        return Response(shapes.KeptSerializer(shown).data, status=201 if fresh else 200)
