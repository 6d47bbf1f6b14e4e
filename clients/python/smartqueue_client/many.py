"""Acts over many jobs at once: the server does them batch by batch, whether the program goes on or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from smartqueue_client.caller import Caller, moment, segment
from smartqueue_client.types import BulkJobOutcome, BulkOperation, DryRun


class ManyJobs(Caller):
    """The calls about bulk operations."""

    def count_bulk(self, kind: str, **narrowing: Any) -> DryRun:
        """How many jobs a bulk operation would be about; no more than 10 000 are counted. Narrowed as list() is."""
        body = {"kind": kind, "filter": wanted(narrowing), "dry_run": True}
        return cast(DryRun, self.call("POST", "bulk-operations/", body).body)

    def bulk(
        self,
        kind: str,
        *,
        ids: Sequence[str] | None = None,
        parameters: dict[str, str] | None = None,
        reason: str = "",
        rate: float | None = None,
        expected_count: int | None = None,
        **narrowing: Any,
    ) -> BulkOperation:
        """Begin an act (cancel, replay, delete, urgency, queue) on these jobs, or on all that match.

        `rate` is the most jobs a second. Raises Conflict where it is about another number than `expected_count`.
        """
        which: dict[str, Any] = {"filter": wanted(narrowing)} if ids is None else {"ids": [*ids]}
        more = {"parameters": parameters, "rate": rate, "expected_count": expected_count}
        body = {"kind": kind, "reason": reason, **which, **{name: one for name, one in more.items() if one is not None}}
        return cast(BulkOperation, self.call("POST", "bulk-operations/", body).body)

    def bulk_operation(self, operation_id: str) -> BulkOperation:
        return cast(BulkOperation, self.call("GET", f"bulk-operations/{segment(operation_id)}/").body)

    def bulk_operations(self) -> Iterator[BulkOperation]:
        """The latest first."""
        return self.pages("bulk-operations/")

    def bulk_outcomes(self, operation_id: str, *, outcome: str | None = None) -> Iterator[BulkJobOutcome]:
        """What became of each job; `outcome` is done, skipped or failed."""
        return self.pages(f"bulk-operations/{segment(operation_id)}/outcomes/", outcome=outcome)

    def stop_bulk(self, operation_id: str) -> BulkOperation:
        """No more of it; one that has not begun is undone. Raises Conflict when it is over."""
        return cast(BulkOperation, self.call("POST", f"bulk-operations/{segment(operation_id)}/stop/").body)


def wanted(narrowing: dict[str, Any]) -> dict[str, Any]:
    return {word: moment(value) for word, value in narrowing.items() if value is not None}
