"""What can go wrong in the queue. A docstring is the message people read."""

from typing import Any
from uuid import UUID


class QueueError(Exception):
    """The queue could not do that."""

    code = "queue_error"

    def __init__(self, detail: str = "", **context: Any) -> None:
        self.detail = detail or str(self.__doc__)
        self.context = context
        # What the problem says beside its sentence.
        self.members: dict[str, Any] = {}
        super().__init__(self.detail)


class JobNotFound(QueueError):
    """There is no such job."""

    code = "not_found"


class IllegalMove(QueueError):
    """The job's status does not allow this."""

    code = "illegal_move"


class KeyReused(QueueError):
    """This Idempotency-Key was used with another request body."""

    code = "idempotency_key_reused"


class InvalidPayload(QueueError):
    """The payload does not fit the job type's schema."""

    code = "invalid_payload"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the payload, what is wrong)."""
        super().__init__()
        self.errors = errors


class UnknownJobType(QueueError):
    """There is no such job type."""

    code = "unknown_job_type"


class LeaseLost(QueueError):
    """The lease has passed to another attempt; nothing was written."""

    code = "lease_lost"

    def __init__(self, job_id: UUID) -> None:
        super().__init__()
        self.job_id = job_id


class LeaseNotFound(QueueError):
    """There is no such lease."""

    code = "not_found"


class NotLeader(QueueError):
    """This scheduler no longer leads; nothing was written."""

    code = "not_leader"


class StreamLost(Exception):
    """Another process sends this stream now."""


class ModelNotFound(QueueError):
    """There is no such version of the model."""

    code = "not_found"


class LimitNotFound(QueueError):
    """There is no such limit."""

    code = "not_found"


class InvalidLimit(QueueError):
    """The limit is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class PauseNotFound(QueueError):
    """There is no such pause."""

    code = "not_found"


class WorkerNotFound(QueueError):
    """There is no such worker."""

    code = "not_found"


class WorkerGone(QueueError):
    """The worker does not run any more."""

    code = "worker_gone"


class QueueClosed(QueueError):
    """The queue is closed: it takes no new jobs."""

    code = "queue_closed"


class InvalidPause(QueueError):
    """The pause is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class ScheduleNotFound(QueueError):
    """There is no such schedule."""

    code = "not_found"


class ViewNotFound(QueueError):
    """There is no such view."""

    code = "not_found"


class ViewShared(QueueError):
    """What all see is shared and changed by org admins."""

    code = "shared_view"


class NoMember(QueueError):
    """Only members of an organisation have views of their own in it."""

    code = "no_member"


class ErrorGroupNotFound(QueueError):
    """There is no such error."""

    code = "not_found"


class InvalidView(QueueError):
    """The view is not valid; see errors."""

    code = "invalid_view"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer, what is wrong)."""
        super().__init__()
        self.errors = errors


class NameTaken(QueueError):
    """The organisation has one of this name already."""

    code = "name_taken"


class InvalidSchedule(QueueError):
    """The schedule is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: "list[tuple[str, str | QueueError]]") -> None:
        """`errors` are (JSON pointer into the request, what is wrong, or why the job there was refused)."""
        super().__init__()
        self.errors = errors


class BulkNotFound(QueueError):
    """There is no such bulk operation."""

    code = "not_found"


class BulkOver(QueueError):
    """The bulk operation is over."""

    code = "illegal_move"


class CountChanged(QueueError):
    """It is about another number of jobs than you expected; nothing was done."""

    code = "count_changed"


class InvalidBulk(QueueError):
    """The bulk operation is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class SubscriberNotFound(QueueError):
    """There is no such webhook or mail alert."""

    code = "not_found"


class DeliveryNotFound(QueueError):
    """There is no such delivery."""

    code = "not_found"


class InvalidSubscriber(QueueError):
    """The webhook or mail alert is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class AlertRuleNotFound(QueueError):
    """There is no such alert rule."""

    code = "not_found"


class InvalidAlertRule(QueueError):
    """The alert rule is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class VersionChanged(QueueError):
    """It was changed since you read it: read it again, and decide anew."""

    code = "version_changed"


class VersionNeeded(QueueError):
    """Say which version you change: send its ETag as If-Match."""

    code = "version_needed"


class InvalidJob(QueueError):
    """The job is not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class InvalidClassification(QueueError):
    """The categories, or the correction, are not valid; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer into the request, what is wrong)."""
        super().__init__()
        self.errors = errors


class BatchRefused(QueueError):
    """The batch is not valid, and none of its jobs was stored; see errors."""

    code = "validation"

    def __init__(self, errors: "list[tuple[str, QueueError]]") -> None:
        """`errors` are (JSON pointer into the request, why the job there was refused)."""
        super().__init__()
        self.errors = errors


class ArtefactNotFound(QueueError):
    """There is no such file."""

    code = "not_found"


class InvalidArtefact(QueueError):
    """The file is not kept; see errors."""

    code = "validation"

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        """`errors` are (JSON pointer to the parameter or header, what is wrong)."""
        super().__init__()
        self.errors = errors


class CutOff(QueueError):
    """The file broke off before its end; nothing was kept."""

    code = "cut_off"


class ArtefactTooLarge(QueueError):
    """The file is larger than a file may be."""

    code = "body_too_large"
    # Its name among the limits that are hit.
    limit = "file_size"

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"A file has at most {max_bytes} bytes here; nothing was kept.")


class QuotaExceeded(QueueError):
    """Your organisation has as much as it may have at once."""

    code = "org_quota_exceeded"
    quota = ""
    unit = ""
    hint = ""

    def __init__(self, limit: int, used: int) -> None:
        super().__init__(f"Your organisation may have {limit} {self.unit} and has {used}. {self.hint}")
        self.members = {"quota": self.quota, "limit": limit, "used": used}


class QueueFull(QuotaExceeded):
    """Too much waits."""

    WAITING_JOBS, PAYLOAD_BYTES = "waiting_jobs", "payload_bytes"
    UNITS = {WAITING_JOBS: "waiting jobs", PAYLOAD_BYTES: "bytes of payloads of jobs that have not ended"}
    hint = "There is room again as jobs end."
    # It passes by itself, as fast as jobs end.
    retry_after_seconds = 5

    def __init__(self, quota: str, limit: int, used: int) -> None:
        self.quota, self.unit = quota, self.UNITS[quota]
        super().__init__(limit, used)
        # in a list of what became of each job
        self.short = f"no room: {used} of {limit} {self.unit}"


class SchedulesFull(QuotaExceeded):
    """No more schedules."""

    quota = "schedules"
    unit = "schedules"
    hint = "Remove one to make another."


class NoRoom(QuotaExceeded):
    """The organisation's files have as many bytes as they may have."""

    quota = "artefact_bytes"
    unit = "bytes of files"
    hint = "There is no room left for this one: delete some that were sent, or wait until others go with their jobs."
