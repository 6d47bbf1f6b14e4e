"""What the database holds only encrypted: organisations' secrets. AES-256-GCM (NIST SP 800-38D), keys by id.

The keys are the deployment's (ENCRYPTION_KEYS), the first encrypts, all decrypt: a key is rotated by putting a new one
first, running `manage.py rotate_secrets`, and dropping the old one.
"""

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

VERSION = "v1"
NONCE_BYTES = 12


class Unsealable(Exception):
    """Not what was sealed here: its key is not among ENCRYPTION_KEYS, it was altered, or it belongs elsewhere."""


def current_key_id() -> str:
    return next(iter(settings.ENCRYPTION_KEYS))


def key_id_of(sealed: str) -> str:
    """Raises Unsealable."""
    version, _, rest = sealed.partition(".")
    key_id, dot, _ = rest.partition(".")
    if version != VERSION or not dot:
        raise Unsealable
    return key_id


def seal(plain: bytes, *, about: str) -> str:
    """`v1.<key id>.<base64 of nonce and ciphertext>`. `about` says whose it is, and is needed again to read it."""
    key_id = current_key_id()
    nonce = secrets.token_bytes(NONCE_BYTES)
    box = AESGCM(settings.ENCRYPTION_KEYS[key_id]).encrypt(nonce, plain, about.encode())
    return f"{VERSION}.{key_id}.{base64.b64encode(nonce + box).decode()}"


def unseal(sealed: str, *, about: str) -> bytes:
    """Raises Unsealable."""
    key = settings.ENCRYPTION_KEYS.get(key_id_of(sealed))
    if key is None:
        raise Unsealable
    try:
        box = base64.b64decode(sealed.rsplit(".", 1)[1], validate=True)
        return AESGCM(key).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError) as error:
        raise Unsealable from error
