"""How header lines are written: with the standard library's folding, words lose blanks and addresses of pages break."""

import re
from base64 import b64encode
from collections.abc import Iterator
from email.headerregistry import Address
from email.policy import EmailPolicy
from email.utils import quote
from typing import Any

# Of an encoded word's 75 characters, for its text before it is in base64 (RFC 2047, 2).
WORD_BYTES = 45
PRINTABLE = re.compile(r"[\x20-\x7e]*")
AS_THEY_ARE = (
    *("list-", "x-", "message-id", "in-reply-to", "references", "feedback-id"),
    *("auto-submitted", "precedence", "importance"),
)
ADDRESSES = {"from", "to", "cc", "reply-to"}
FOLD = "\r\n "


class Lines(EmailPolicy):
    def fold_binary(self, name: str, value: Any) -> bytes:
        if name.lower() in ADDRESSES:
            text = f",{FOLD}".join(map(written, value.addresses))
        elif name.lower() == "subject":
            text = FOLD.join(words(value))
        elif name.lower().startswith(AS_THEY_ARE):
            text = str(value)
        else:
            return super().fold_binary(name, value)
        return f"{name}: {text}\r\n".encode("ascii")


# Of seven bits: servers differ in what they make of eight.
POLICY = Lines(linesep="\r\n", cte_type="7bit")


def written(one: Address) -> str:
    if not one.display_name:
        return one.addr_spec
    if is_plain(one.display_name):
        return f'"{quote(one.display_name)}" <{one.addr_spec}>'
    return f"{FOLD.join(words(one.display_name))} <{one.addr_spec}>"


def is_plain(text: str) -> bool:
    """Whether it may stand there as it is."""
    return bool(PRINTABLE.fullmatch(text)) and "=?" not in text


def words(text: str) -> Iterator[str]:
    """The text itself, or encoded words that are read as one."""
    if is_plain(text):
        yield text
        return
    piece = b""
    for character in text:
        encoded = character.encode()
        if len(piece) + len(encoded) > WORD_BYTES:
            yield word(piece)
            piece = b""
        piece += encoded
    yield word(piece)


def word(piece: bytes) -> str:
    return f"=?utf-8?b?{b64encode(piece).decode()}?="
