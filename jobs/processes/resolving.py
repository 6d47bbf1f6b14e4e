"""The secrets that an attempt's payload names: looked up where the attempt runs, for it alone, and never shown."""

import asyncio
from collections.abc import Sequence
from typing import Any

from django.db import connections

from jobs.errors import InvalidPayload
from jobs.handlers.base import Context, Handler, PermanentFailure
from jobs.hiding import hidden_values
from jobs.masking import Mask, activate, deactivate
from jobs.processes.reporting import AttemptReporter
from jobs.queue.claim import Claimed
from jobs.references import faults_in_fields, names_in, replaced
from orgs.vault import NotReadable, values_of

# A payload with its secrets in place, and their values.
Resolved = tuple[dict[str, Any], list[str]]


class Cover:
    """Over one attempt. Most have nothing to hide: it costs them a look at the names in their payload."""

    def __init__(self, claimed: Claimed, context: Context, reporter: AttemptReporter) -> None:
        self.claimed = claimed
        self.context = context
        self.reporter = reporter
        self.mask: Mask | None = None

    def begin(self, handler: Handler) -> None:
        """Put the secrets into the context's payload. Raises PermanentFailure, InvalidPayload."""
        self.hide(resolved(self.claimed, handler) if self.names_secrets(handler) else None)

    async def begin_async(self, handler: Handler) -> None:
        names_some = self.names_secrets(handler)
        self.hide(await asyncio.to_thread(resolved_aside, self.claimed, handler) if names_some else None)

    def names_secrets(self, handler: Handler) -> bool:
        return self.claimed.has_references and handler.secret_fields != ()

    def hide(self, found: Resolved | None) -> None:
        """From here on nothing shows the secrets that were found, nor what the payload has under telling names."""
        values: list[str] = []
        if found is not None:
            self.context.payload, values = found
        values += hidden_values(self.context.payload)
        if values:
            self.mask = self.reporter.mask = Mask(values)
            activate(self.mask)

    def end(self) -> None:
        """The attempt writes no more lines."""
        if self.mask is not None:
            deactivate(self.mask)

    def shown(self, value: Any) -> Any:
        """A JSON value as it may be kept."""
        return self.mask.json(value) if self.mask else value

    @property
    def values(self) -> Sequence[str]:
        return self.mask.values if self.mask else ()


def resolved(claimed: Claimed, handler: Handler) -> Resolved:
    """A copy of the payload with its secrets in place.

    Raises PermanentFailure, which names the secret, and InvalidPayload for one where there can be none.
    """
    if misplaced := list(faults_in_fields(claimed.payload, handler.secret_fields)):
        raise InvalidPayload(misplaced)
    try:
        values = values_of(claimed.org_id, names_in(claimed.payload))
    except NotReadable as error:
        raise PermanentFailure(str(error)) from None
    return replaced(claimed.payload, values.__getitem__), list(values.values())


def resolved_aside(claimed: Claimed, handler: Handler) -> Resolved:
    """The same in a thread that nobody else uses the database in."""
    try:
        return resolved(claimed, handler)
    finally:
        connections.close_all()
