"""Signatures, as a receiver's library sees them."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.delivery.signing import new_secret, opened, sealed, signed
from jobs.ids import uuid7
from orgs.crypto import Unsealable

BODY = '{"type":"job.done","timestamp":"2026-01-31T12:00:00.000000Z","data":{"job":{"name":"caf\\u00e9"}}}'
ID = uuid7()


def now() -> datetime:
    return datetime.now(UTC)


def test_the_library_verifies_it() -> None:
    secret = new_secret()

    assert Webhook(secret).verify(BODY, signed(ID, now(), BODY, [secret]))["type"] == "job.done"


@pytest.mark.parametrize(
    "altered", [BODY + " ", BODY.replace("done", "fail"), BODY[:-1], "", BODY.replace("\\u00e9", "e")]
)
def test_an_altered_body_is_refused(altered: str) -> None:
    secret = new_secret()

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(altered, signed(ID, now(), BODY, [secret]))


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_an_old_or_future_timestamp_is_refused(age: timedelta) -> None:
    secret = new_secret()

    with pytest.raises(WebhookVerificationError, match="timestamp too"):
        Webhook(secret).verify(BODY, signed(ID, now() - age, BODY, [secret]))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_the_id_and_the_time_are_signed_too(name: str) -> None:
    secret = new_secret()
    headers = signed(ID, now(), BODY, [secret])
    headers[name] = {"webhook-id": str(uuid7()), "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}[name]

    with pytest.raises(WebhookVerificationError, match="No matching"):
        Webhook(secret).verify(BODY, headers)


def test_with_two_keys_each_is_enough_and_another_is_not() -> None:
    new, old = new_secret(), new_secret()
    headers = signed(ID, now(), BODY, [new, old])

    Webhook(new).verify(BODY, headers)
    Webhook(old).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


def test_a_sealed_secret_opens_for_its_own_webhook_only() -> None:
    secret = new_secret()
    box = sealed(secret, ID)

    assert secret.removeprefix("whsec_") not in box
    assert opened(box, ID) == secret
    with pytest.raises(Unsealable):
        opened(box, uuid7())


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert all(secret.startswith("whsec_") and len(secret) == 50 for secret in secrets)
