"""An email job's message: from a checked payload to what is sent."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from typing import Any, NamedTuple

from django.conf import settings
from django.core.mail import EmailMessage as DjangoMessage

from jobs.handlers.base import Context, Input
from jobs.handlers.mail.addresses import CONTROL, Address, operators, parsed
from jobs.handlers.mail.headers import POLICY, words

LISTS = ("to", "cc", "bcc")
CONTENT_TYPE = re.compile(r"(?P<main>[a-z0-9.+-]+)/(?P<sub>[a-z0-9.+-]+)(; *charset=(?P<charset>[a-z0-9-]+))?", re.I)
# Mail programs look into these, and they may not be encoded as attachments are.
NOT_AS_THEY_ARE = {"multipart", "message"}
PRINTABLE = re.compile(r"[\x20-\x7e]+")
NOT_IN_A_NAME = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\<>:"|?*]')


class Attachment(NamedTuple):
    name: str
    content_type: str
    data: bytes


def sender(payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Address:
    """Fixed for each organisation; only the name shown is the job's to choose. Raises BadAddress."""
    fixed = operators(org_settings.get("mail_from") or settings.DEFAULT_FROM_EMAIL)
    return Address(payload.get("from_name") or fixed.name, fixed.address)


def recipients(payload: Mapping[str, Any]) -> list[str]:
    """Each once, in ASCII."""
    return list(dict.fromkeys(parsed(text).address for name in LISTS for text in payload.get(name, [])))


class AsItIs(DjangoMessage):
    """For Django's backends: a message that is written already."""

    def __init__(self, written: EmailMessage, to: Sequence[str]) -> None:
        super().__init__(to=list(to))
        self.written = written

    def message(self) -> EmailMessage:  # type: ignore[override]
        return self.written


def message_of(context: Context, attachments: Sequence[Attachment]) -> EmailMessage:
    """Who is in bcc is in no header."""
    payload = context.payload
    origin = sender(payload, context.org_settings)
    message = EmailMessage(policy=POLICY)
    message["From"] = in_header(origin)
    for name in ("to", "cc"):
        if payload.get(name):
            message[name.title()] = [in_header(parsed(text)) for text in payload[name]]
    if "reply_to" in payload:
        message["Reply-To"] = in_header(parsed(payload["reply_to"]))
    # encoded, because what looks so would be decoded
    message["Subject"] = " ".join(words(payload["subject"]))
    message["Date"] = datetime.now(UTC)
    for name, value in headers_of(context, origin).items():
        message[name] = value
    message.set_content(payload["text"], cte="quoted-printable")
    if html := payload.get("html"):
        message.add_alternative(html, subtype="html", cte="quoted-printable")
    for one in attachments:
        attach(message, one)
    return message


def in_header(address: Address) -> HeaderAddress:
    return HeaderAddress(address.name, addr_spec=address.address)


def message_id(context: Context, origin: Address) -> str:
    """The same for all attempts: a server or mailbox that has it already can tell."""
    return f"<{context.job_id}@{origin.address.rpartition('@')[2]}>"


def headers_of(context: Context, origin: Address) -> dict[str, str]:
    ours = {"Message-ID": message_id(context, origin), "X-SmartQueue-Job-ID": str(context.job_id)}
    if PRINTABLE.fullmatch(context.correlation_id):
        ours["X-Correlation-ID"] = context.correlation_id
    # keeps out-of-office replies away
    return {"Auto-Submitted": "auto-generated", **context.payload.get("headers", {}), **ours}


def attach(message: EmailMessage, one: Attachment) -> None:
    """In base64 whatever it is, so that every byte arrives."""
    match = CONTENT_TYPE.fullmatch(one.content_type)
    if match is None or match["main"].lower() in NOT_AS_THEY_ARE:
        main, sub, charset = "application", "octet-stream", None
    else:
        main, sub, charset = match["main"], match["sub"], match["charset"]
    params = {"charset": charset} if charset else {}
    message.add_attachment(one.data, main, sub, cte="base64", filename=one.name, params=params)


def attachment_name(wanted: str, found: Input, number: int) -> str:
    """What the job says, else what the file's owner called it, without what no file name has."""
    return wanted or NOT_IN_A_NAME.sub("-", found.name)[:120].strip(" .-") or f"attachment-{number}"


def is_file_name(text: str) -> bool:
    return not NOT_IN_A_NAME.search(text) and text.strip(" .") == text != ""


def is_one_line(text: str) -> bool:
    return not CONTROL.search(text)
