"""`?wait=` of a job: the answer when it has moved on, or when the time is over (docs/decisions/0012-long-polls.md)."""

import re
import time
from typing import Any
from uuid import UUID

from django.db import connection
from rest_framework import serializers
from rest_framework.request import Request

from jobs.api.filters import QuerySerializer
from jobs.processes.waiting_room import JobWaiter, job_room
from jobs.queue.marks import marks

LONGEST_SECONDS = 30
# When there was no room to wait.
RETRY_AFTER_SECONDS = "1"
# RFC 7240 2.1 and 4.3. A preference that is not understood is passed over, as the RFC has it.
PREFERRED = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])', re.ASCII | re.IGNORECASE)
ENDED = ("done", "failed", "cancelled")
SECONDS = r"^[0-9]{1,6}s?\Z"
NO_SECONDS: dict[str, Any] = {"invalid": "Seconds, like 10 or 10s."}


class WaitQuery(QuerySerializer):
    wait = serializers.RegexField(
        SECONDS,
        required=False,
        help_text="Seconds, like `10` or `10s`: answer when the job has ended or changed, at the latest after that, "
        f"{LONGEST_SECONDS} at most. What counts as changed is another ETag than that of `If-None-Match`, or than it "
        "has now. `Prefer: wait=10` is the same.",
        error_messages=NO_SECONDS,
    )


class EndQuery(QuerySerializer):
    wait = serializers.RegexField(
        SECONDS,
        required=False,
        help_text="Seconds, like `10` or `10s`: answer when the job has ended, at the latest after that, "
        f"{LONGEST_SECONDS} at most, with the job as it is then. `Prefer: wait=10` is the same.",
        error_messages=NO_SECONDS,
    )


def seconds_asked(request: Request) -> int:
    """0 for who does not want to wait. Raises ValidationError."""
    asked = WaitQuery.asked(request).get("wait")
    if asked is None:
        preferred = PREFERRED.search(request.headers.get("Prefer", ""))
        asked = preferred[1] if preferred else "0"
    return min(int(asked.removesuffix("s")), LONGEST_SECONDS)


def waited_for(view: Any, body: dict[str, Any], seconds: int, **how: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """moved_on(), or the job as it was; and what the answer says of the wait."""
    if not seconds:
        return body, {}
    found = moved_on(view, body, seconds, **how)
    if found is None:
        return body, {"Retry-After": RETRY_AFTER_SECONDS}
    return found, {"Preference-Applied": f"wait={seconds}"}


def moved_on(view: Any, body: dict[str, Any], seconds: float, *, to_its_end: bool = False) -> dict[str, Any] | None:
    """The job of `body` as it is when it has moved on, or at the end of the time; None when there is no room to wait.

    `view` shows it (`shown(job_id)`), and asks anew whether the caller may see it (`let_in_again()`). With `to_its_end`
    it is not enough that it has changed.
    """
    if body["status"] in ENDED:
        return body
    waiter = JobWaiter(UUID(str(body["id"])))
    if not job_room.enter(waiter):
        return None
    try:
        return shown_when_woken(view, waiter, body, time.monotonic() + seconds, to_its_end)
    finally:
        job_room.leave(waiter)


def shown_when_woken(
    view: Any, waiter: JobWaiter, body: dict[str, Any], end: float, to_its_end: bool
) -> dict[str, Any]:
    found = body
    while found["status"] not in ENDED and (to_its_end or found == body) and (left := end - time.monotonic()) > 0:
        # a connection that waits is one that nobody else has
        connection.close()
        if not waiter.woken.wait(left):
            break
        waiter.woken.clear()
        # before it is read: what changes meanwhile wakes again
        waiter.mark = marks([waiter.job_id]).get(waiter.job_id)
        view.let_in_again()
        found = view.shown(str(waiter.job_id))
    return found
