"""An email job's message: from a checked payload to what is sent."""

import re
from collections.abc import Mapping, Sequence
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from typing import Any, NamedTuple

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.message import utf8_charset_qp

from jobs.handlers.base import Context, Input
from jobs.handlers.mail_addresses import CONTROL, Address, operators, parsed

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


def message_of(context: Context, attachments: Sequence[Attachment]) -> EmailMultiAlternatives:
    payload = context.payload
    to, cc, bcc = ([str(parsed(text)) for text in payload.get(name, [])] for name in LISTS)
    origin = sender(payload, context.org_settings)
    message = EmailMultiAlternatives(
        subject=payload["subject"],
        body=payload["text"],
        from_email=str(origin),
        reply_to=[str(parsed(payload["reply_to"]))] if "reply_to" in payload else None,
        headers=headers_of(context, origin),
        to=to,
        cc=cc,
        bcc=bcc,
    )
    # lines of any length and letters of all languages, over servers that take 7 bits
    message.encoding = utf8_charset_qp
    if html := payload.get("html"):
        message.attach_alternative(html, "text/html")
    for one in attachments:
        message.attach(part_of(one))
    return message


def message_id(context: Context, origin: Address) -> str:
    """The same for all attempts: a server or mailbox that has it already can tell."""
    return f"<{context.job_id}@{origin.address.rpartition('@')[2]}>"


def headers_of(context: Context, origin: Address) -> dict[str, str]:
    ours = {"Message-ID": message_id(context, origin), "X-SmartQueue-Job-ID": str(context.job_id)}
    if PRINTABLE.fullmatch(context.correlation_id):
        ours["X-Correlation-ID"] = context.correlation_id
    # keeps out-of-office replies away
    return {"Auto-Submitted": "auto-generated", **context.payload.get("headers", {}), **ours}


def part_of(one: Attachment) -> MIMEBase:
    """In base64 whatever it is, so that every byte arrives."""
    match = CONTENT_TYPE.fullmatch(one.content_type)
    if match is None or match["main"].lower() in NOT_AS_THEY_ARE:
        part = MIMEBase("application", "octet-stream")
    else:
        part = MIMEBase(match["main"], match["sub"])
        if match["charset"]:
            part.set_param("charset", match["charset"])
    part.set_payload(one.data)
    encode_base64(part)
    name = one.name if one.name.isascii() else ("utf-8", "", one.name)
    part.add_header("Content-Disposition", "attachment", filename=name)
    return part


def attachment_name(wanted: str, found: Input, number: int) -> str:
    """What the job says, else what the file's owner called it, without what no file name has."""
    return wanted or NOT_IN_A_NAME.sub("-", found.name)[:120].strip(" .-") or f"attachment-{number}"


def is_file_name(text: str) -> bool:
    return not NOT_IN_A_NAME.search(text) and text.strip(" .") == text != ""


def is_one_line(text: str) -> bool:
    return not CONTROL.search(text)
