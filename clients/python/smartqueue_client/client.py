"""SmartQueue for programs: submit jobs, wait for them, look at them, act on them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Union, cast

from smartqueue_client.bulk import in_parts
from smartqueue_client.caller import from_environment, moment, new_key, segment
from smartqueue_client.download import save
from smartqueue_client.errors import JobFailed, WaitTimeout
from smartqueue_client.many import ManyJobs
from smartqueue_client.rooms import Rooms
from smartqueue_client.types import (
    ENDED,
    Artefact,
    Attempt,
    BulkItem,
    Cancelled,
    DeadLetter,
    Forecast,
    Job,
    JobSummary,
    LogLine,
    NewJob,
    Retry,
    Transition,
)

# Of one call that waits: less than what proxies allow.
WAIT_SECONDS = 20
FOLLOW_SECONDS = 0.5
Moment = Union[datetime, str]


class Client(Rooms, ManyJobs):
    """An organisation's jobs, as one caller. May be used by many threads.

    Calls that fail for want of an answer, or with 429 or 503, are tried again for `retry_seconds`, as often as the
    server asks; a submit keeps its Idempotency-Key over them, so that it is stored once. After that, and for every
    other refusal, they raise what is in smartqueue_client.errors.
    """

    @classmethod
    def from_environment(cls, **others: Any) -> Client:
        """By SMARTQUEUE_URL, SMARTQUEUE_KEY or SMARTQUEUE_TOKEN, SMARTQUEUE_ORG."""
        return cls(**from_environment(**others))

    # --- Submit ---------------------------------------------------------------------------------------------------

    def submit(
        self,
        type: str,
        payload: dict[str, Any],
        *,
        name: str | None = None,
        queue: str | None = None,
        title: str | None = None,
        description: str | None = None,
        urgency: str | None = None,
        category: str | None = None,
        tags: Sequence[str] | None = None,
        run_at: Moment | None = None,
        delay_seconds: float | None = None,
        timeout_seconds: int | None = None,
        max_attempts: int | None = None,
        retry: Retry | None = None,
        limit_key: str | None = None,
        after: Sequence[str] | None = None,
        after_end: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """A job that is stored when this returns. What is left out is the deployment's default.

        With the same `idempotency_key` within a day it is the same job; by default there is a new one for each call.
        """
        given = {
            "name": name,
            "queue": queue,
            "title": title,
            "description": description,
            "urgency": urgency,
            "category": category,
            "tags": None if tags is None else [*tags],
            "run_at": None if run_at is None else moment(run_at),
            "delay_seconds": delay_seconds,
            "timeout_seconds": timeout_seconds,
            "max_attempts": max_attempts,
            "retry": retry,
            "limit_key": limit_key,
            "after": after,
            "after_end": after_end,
        }
        body = {"type": type, "payload": payload, **{word: value for word, value in given.items() if value is not None}}
        headers = {"Idempotency-Key": idempotency_key or new_key()}
        return cast(Job, self.call("POST", "jobs/", body, headers=headers, repeatable=True).body)

    def submit_many(self, jobs: Iterable[NewJob]) -> Iterator[BulkItem]:
        """What became of each, in their order, as its call is answered: so many calls as they need.

        One that is refused stops no other. Each has an idempotency_key, its own or a new one.
        """
        first = 0
        for part in in_parts({**job, "idempotency_key": job.get("idempotency_key") or new_key()} for job in jobs):
            items = self.call("POST", "jobs/bulk/", {"jobs": part}, seconds=60, repeatable=True).body["items"]
            for item in items:
                item["index"] += first
                yield cast(BulkItem, item)
            first += len(part)

    def predict(self, type: str, payload: dict[str, Any], **others: Any) -> Forecast:
        """What such a job would take, and when it would start; takes what submit() does, and stores nothing."""
        return cast(
            Forecast, self.call("POST", "predict/", {"type": type, "payload": payload, **others}, repeatable=True).body
        )

    # --- Look -----------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        return cast(Job, self.call("GET", job_path(job_id)).body)

    def wait(self, job_id: str, *, timeout: float | None = None) -> Job:
        """The job once it has ended. Raises WaitTimeout after so many seconds."""
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        job: Any = None
        tag = ""
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            query = {"wait": math.ceil(min(WAIT_SECONDS, left))}
            headers = {"If-None-Match": tag} if tag else None
            answer = self.call("GET", job_path(job_id), query=query, headers=headers, seconds=WAIT_SECONDS + 15)
            # 304: it is as it was
            job, tag = answer.body or job, answer.headers.get("ETag", "")
            if job["status"] in ENDED:
                return cast(Job, job)
            if left == 0.0:
                raise WaitTimeout(job)
            # too many wait already
            time.sleep(min(float(answer.headers.get("Retry-After", "0")), left))

    def result(self, job_id: str, *, timeout: float | None = None) -> Any:
        """Its result once it is done. Raises JobFailed when it ends otherwise, WaitTimeout."""
        job = self.wait(job_id, timeout=timeout)
        if job["status"] != "done":
            raise JobFailed(job)
        return job["result"]

    def attempts(self, job_id: str) -> Iterator[Attempt]:
        return self.pages(f"{job_path(job_id)}attempts/")

    def transitions(self, job_id: str) -> Iterator[Transition]:
        return self.pages(f"{job_path(job_id)}transitions/")

    def logs(self, job_id: str, *, attempt: int | None = None, follow: bool = False) -> Iterator[LogLine]:
        """Its log lines, of all attempts in order or of one; `follow`: those to come as well, until it has ended."""
        if not follow:
            yield from self.pages(f"{job_path(job_id)}logs/", attempt=attempt)
            return
        number, last = attempt or 1, None
        while True:
            # before its lines are read: whatever it had logged when it ended is there by then
            job = self.get(job_id)
            for line in self.pages(f"{job_path(job_id)}logs/", attempt=number, after=last):
                last = line["sequence"]
                yield line
            if attempt is None and number < job["attempt"]:
                number, last = number + 1, None
            elif job["status"] in ENDED or number < job["attempt"]:
                return
            else:
                time.sleep(FOLLOW_SECONDS)

    def artefacts(self, job_id: str) -> Iterator[Artefact]:
        return self.pages(f"{job_path(job_id)}artefacts/")

    def download(self, job_id: str, artefact: Artefact, to: Path | str) -> Path:
        """Save a file, under its own name where `to` is a folder; where it is. It is there whole, or not at all."""
        path = f"{job_path(job_id)}artefacts/{segment(artefact['id'])}/"
        return save(self.connection, path, artefact, Path(to), within_seconds=self.retry_seconds)

    # --- Act ------------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str, *, reason: str = "") -> Cancelled:
        """One that waits never runs; a running one is asked to stop. Raises Conflict when it is over."""
        return cast(Cancelled, self.call("POST", f"{job_path(job_id)}cancellation/", {"reason": reason}).body)

    def replay(self, job_id: str, *, payload: dict[str, Any] | None = None) -> Job:
        """Send a dead letter back, with another payload if one is given. Raises Conflict when it is none."""
        body = {} if payload is None else {"payload": payload}
        return cast(Job, self.call("POST", f"{job_path(job_id)}replay/", body).body)

    def change(self, job_id: str, *, urgency: str = "", queue: str = "", reason: str = "") -> Job:
        """Another urgency, another queue or both for one that waits. Raises Conflict when it runs or is over."""
        body = {"urgency": urgency, "queue": queue, "reason": reason}
        sent = {name: value for name, value in body.items() if value}
        return cast(Job, self.call("POST", f"{job_path(job_id)}change/", sent).body)

    def snooze(
        self, job_id: str, *, seconds: float | None = None, until: datetime | str | None = None, reason: str = ""
    ) -> Job:
        """Put one that waits off, for so long or until a time. Raises Conflict when it runs or is over."""
        body = {"reason": reason} | ({"until": moment(until)} if until is not None else {"seconds": seconds})
        return cast(Job, self.call("POST", f"{job_path(job_id)}snooze/", body).body)

    def run_now(self, job_id: str, *, reason: str = "") -> Job:
        """Queue one that is due later at once, a retry too. Raises Conflict when it is no such job."""
        return cast(Job, self.call("POST", f"{job_path(job_id)}run-now/", {"reason": reason}).body)

    def replay_many(self, job_ids: Sequence[str]) -> int:
        """Send these back; how many were dead letters."""
        parts = (job_ids[start : start + 1000] for start in range(0, len(job_ids), 1000))
        return sum(self.call("POST", "jobs/replay/", {"ids": list(part)}).body["replayed"] for part in parts)

    def replay_all(self, **narrowing: Any) -> int:
        """Send back every dead letter that matches; how many. Narrowed as dead_letters() is."""
        wanted = {word: moment(value) for word, value in narrowing.items() if value is not None}
        replayed, more = 0, True
        while more:
            answer = self.call("POST", "jobs/replay/", {"filter": wanted}, seconds=120).body
            replayed, more = replayed + answer["replayed"], answer["more"]
        return replayed

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, with its attempts, log and files. Raises Conflict when it has not."""
        self.call("DELETE", job_path(job_id))

    # --- Queues and numbers ---------------------------------------------------------------------------------------

    # --- Lists of jobs. Last: from here on `list` is a method. ------------------------------------------------------

    def dead_letters(self, **narrowing: Any) -> Iterator[DeadLetter]:
        """The latest first: type, queue, error_type, fingerprint, tag, worker, q, failed_after, failed_before, ….

        docs/search.md of the server says what `q` understands.
        """
        return self.pages("dead-letters/", **narrowing)

    def list(self, **narrowing: Any) -> Iterator[JobSummary]:
        """Jobs, the newest first, all that match: a page is fetched when it is needed.

        By status, type, queue, urgency, category, creator, name, tag, worker, error_type, fingerprint, q,
        correlation_id, batch, replayed, attempts_min, attempts_max, runtime_min_ms, runtime_max_ms, created_after,
        created_before, finished_after, finished_before; `sort` orders them otherwise.
        """
        return self.pages("jobs/", **narrowing)


def job_path(job_id: str) -> str:
    return f"jobs/{segment(job_id)}/"
