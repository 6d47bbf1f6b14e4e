"""What jobs wait and run in: queues, kinds, workers, and how many pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from smartqueue_client.caller import Caller, segment
from smartqueue_client.types import Flow, KindPause, OrgCounts, Process, Queue


class Rooms(Caller):
    """Queues are paused and closed, kinds paused, workers told what to do."""

    def queues(self) -> Iterator[Queue]:
        return self.pages("queues/")

    def pause(self, queue: str, *, reason: str = "", seconds: float | None = None) -> Queue:
        """No job of it starts from now on; for so many seconds, else until it is resumed."""
        asked = {"reason": reason, "resume_in_seconds": seconds}
        return cast(Queue, self.call("POST", f"queues/{segment(queue)}/pause/", asked, repeatable=True).body)

    def resume(self, queue: str) -> Queue:
        return cast(Queue, self.call("DELETE", f"queues/{segment(queue)}/pause/").body)

    def close_queue(self, queue: str, *, reason: str = "") -> Queue:
        """It takes no new jobs from now on; what is in it runs until it is empty."""
        return cast(
            Queue, self.call("POST", f"queues/{segment(queue)}/closing/", {"reason": reason}, repeatable=True).body
        )

    def reopen_queue(self, queue: str) -> Queue:
        return cast(Queue, self.call("DELETE", f"queues/{segment(queue)}/closing/").body)

    def pauses(self) -> Iterator[KindPause]:
        """What is paused besides queues: kinds of jobs, and the organisation (its type is empty)."""
        return self.pages("pauses/")

    def pause_kind(self, type: str, name: str = "", *, reason: str = "", seconds: float | None = None) -> KindPause:
        """No job of this type (and name, if one is given) starts from now on; an empty type is the organisation."""
        asked = {"type": type, "name": name, "reason": reason, "resume_in_seconds": seconds}
        return cast(KindPause, self.call("POST", "pauses/", asked, repeatable=True).body)

    def resume_kind(self, pause_id: str) -> None:
        self.call("DELETE", f"pauses/{segment(pause_id)}/")

    def counts(self) -> OrgCounts:
        return cast(OrgCounts, self.call("GET", "counts/").body)

    def workers(self) -> Iterator[Process]:
        """Workers, schedulers and watchdogs."""
        return self.pages("workers/")

    def command_worker(self, worker_id: str, command: str, *, reason: str = "") -> Process:
        """quiet: it takes no more jobs; resume: it takes them again; stop: it finishes what runs, and ends."""
        path = f"workers/{segment(worker_id)}/commands/"
        return cast(Process, self.call("POST", path, {"command": command, "reason": reason}, repeatable=True).body)

    def throughput(self, *, hours: int = 1) -> Sequence[Flow]:
        """How many attempts ended, interval by interval."""
        return cast("Sequence[Flow]", self.call("GET", "throughput/", query={"hours": hours}).body["buckets"])
