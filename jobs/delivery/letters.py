"""What is delivered, and what came of it."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID


class Letter(NamedTuple):
    """One delivery to a webhook, taken to be sent once: the columns of claim_deliveries.sql."""

    id: UUID
    subscriber_id: UUID
    event: str
    correlation_id: str
    data: Any
    attempt: int
    attempts_before: int
    # As it is written in the body.
    happened_at: str
    # By the database's clock.
    sent_at: datetime
    url: str
    # Sealed; the one before is empty when it is over.
    secret: str
    previous_secret: str


class Item(NamedTuple):
    """One delivery in a mail."""

    id: UUID
    event: str
    data: Any
    attempt: int
    attempts_before: int


class Digest(NamedTuple):
    """What one address is told in one mail."""

    subscriber_id: UUID
    address: str
    org: str
    items: list[Item]


class Report(NamedTuple):
    """What came of one try."""

    delivered: bool = False
    status: int | None = None
    body: str = ""
    error: str = ""
    duration_ms: float | None = None
    retry_after: float | None = None
    # It asks never to be called again.
    gone: bool = False
    # It was us who broke off: this was no try.
    stopped: bool = False
