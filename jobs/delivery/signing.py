"""Signatures as https://www.standardwebhooks.com says, and the secrets they are made with."""

import base64
import secrets
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook

from orgs.crypto import seal, unseal

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(secret: str, webhook_id: UUID) -> str:
    return seal(secret.encode(), about=about(webhook_id))


def opened(secret: str, webhook_id: UUID) -> str:
    """Raises Unsealable."""
    return unseal(secret, about=about(webhook_id)).decode()


def about(webhook_id: UUID) -> str:
    return f"webhook {webhook_id}"


def signed(message_id: UUID, at: datetime, body: str, keys: Iterable[str]) -> dict[str, str]:
    """The headers that say who sent it and when: a signature with each key, for receivers that know one of them."""
    signatures = [Webhook(key).sign(msg_id=str(message_id), timestamp=at, data=body) for key in keys]
    return {
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
