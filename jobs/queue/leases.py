"""The names of leases outside: what a worker without a database holds of its job.

Signed, so that it says by itself whose it is, also after its lease has ended: a worker that did not hear our answer
asks again, and hears it then.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import compare_digest
from typing import NamedTuple
from uuid import UUID

from django.utils.crypto import salted_hmac

from jobs.errors import LeaseNotFound
from jobs.queue.claim import Claimed

SALT = "smartqueue.lease"
SIGNATURE_BYTES = 16
WHOLE_BYTES = 16 + 16 + 8 + 4 + SIGNATURE_BYTES


class Handle(NamedTuple):
    """One lease, while it is held and after."""

    job_id: UUID
    token: UUID
    org_id: int
    attempt: int


def name_of(claimed: Claimed) -> str:
    """80 characters that go into a path."""
    numbers = claimed.org_id.to_bytes(8) + claimed.attempt.to_bytes(4)
    told = claimed.job_id.bytes + claimed.token.bytes + numbers
    return urlsafe_b64encode(told + signature(told)).decode()


def handle(name: str, org_id: int) -> Handle:
    """Raises LeaseNotFound for what we did not give out, and alike for another organisation's."""
    try:
        whole = urlsafe_b64decode(name)
    except ValueError:
        raise LeaseNotFound from None
    told, signed = whole[:-SIGNATURE_BYTES], whole[-SIGNATURE_BYTES:]
    if urlsafe_b64encode(whole).decode() != name or len(whole) != WHOLE_BYTES:
        raise LeaseNotFound
    if not compare_digest(signature(told), signed):
        raise LeaseNotFound
    found = Handle(
        UUID(bytes=told[:16]), UUID(bytes=told[16:32]), int.from_bytes(told[32:40]), int.from_bytes(told[40:])
    )
    if found.org_id != org_id:
        raise LeaseNotFound
    return found


def signature(told: bytes) -> bytes:
    return salted_hmac(SALT, told, algorithm="sha256").digest()[:SIGNATURE_BYTES]
