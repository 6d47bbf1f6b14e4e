"""What can go wrong, and whether to ask again."""

from __future__ import annotations

from typing import Any, cast

from smartqueue_client.types import FieldError, Job, JobSummary


class SmartQueueError(Exception):
    """All of this package's own."""


class Unreachable(SmartQueueError):
    """There was no answer, or none of a server that is well: nobody knows whether it was done. Ask again."""

    # Whether nothing can have been done: what was asked has not been heard.
    unheard = False


class NotConnected(Unreachable):
    """Nobody listens there."""

    unheard = True


class ApiError(SmartQueueError):
    """The server's refusal, with the problem (RFC 9457) that it answered."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None) -> None:
        self.status, self.problem, self.retry_after = status, problem, retry_after
        super().__init__(told(status, problem, self.errors))

    @property
    def code(self) -> str:
        """The last word of `type`, for programs: not_found, validation, illegal_move …"""
        return str(self.problem.get("type") or "").rpartition(":")[2]

    @property
    def errors(self) -> list[FieldError]:
        """Which fields are wrong, by JSON pointer."""
        found = self.problem.get("errors")
        return cast(list[FieldError], found if isinstance(found, list) else [])

    @property
    def request_id(self) -> str:
        """Under which the server has logged it."""
        return str(self.problem.get("request_id") or "")


def told(status: int, problem: dict[str, Any], errors: list[FieldError]) -> str:
    """The sentence, and each field with its own."""
    sentence = str(problem.get("detail") or f"status {status}")
    fields = [f"{one.get('pointer') or '/'}: {one.get('detail')}" for one in errors if one.get("detail") != sentence]
    return " ".join([sentence, *fields])


class BadRequest(ApiError):
    """400: a field is wrong."""


class Unauthorized(ApiError):
    """401: no token or key that is good."""


class Forbidden(ApiError):
    """403: your role does not allow it."""


class NotFound(ApiError):
    """404: not there, or another organisation's."""


class Conflict(ApiError):
    """409: the status of the job does not allow it."""


class Changed(ApiError):
    """412: it has moved on since you read it."""


class TooLarge(ApiError):
    """413."""


class KeyReused(ApiError):
    """422: the Idempotency-Key was used with another body."""


class TooManyRequests(ApiError, Unreachable):
    """429, after the retries: nothing was done."""

    unheard = True


class ServerError(ApiError, Unreachable):
    """5xx, after the retries where it is worth any: it is not known whether it was done."""


KINDS = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Changed,
    413: TooLarge,
    422: KeyReused,
    429: TooManyRequests,
}


def refusal(status: int, problem: dict[str, Any], retry_after: float | None = None) -> ApiError:
    """The exception of a status."""
    kind = KINDS.get(status, ServerError if status >= 500 else ApiError)
    return kind(status, problem, retry_after)


class WaitTimeout(SmartQueueError):
    """The job has not ended within the time; `job` is how it was."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"job {job['id']} is still {job['status']}")
        self.job = job


class JobFailed(SmartQueueError):
    """The job that a result was wanted of ended as failed or cancelled."""

    def __init__(self, job: Job) -> None:
        why = reason(job)
        super().__init__(f"job {job['id']} is {job['status']}" + (f": {why}" if why else ""))
        self.job = job


def reason(job: JobSummary) -> str:
    """Why it failed, in one line: of a task's traceback, the last one."""
    lines = [line for line in job["error"].splitlines() if line.strip()] or [""]
    if lines[0].startswith("Traceback "):
        # a list holds the start of an error only
        line = lines[-1] if lines[-1][:1].strip() and len(lines) > 1 else ""
    else:
        line = lines[0]
    if not line or line.startswith(job["error_type"]):
        return line or job["error_type"]
    return f"{job['error_type']}: {line}"


class BadDownload(SmartQueueError):
    """What came is not the file that was stored."""
