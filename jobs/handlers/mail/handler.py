"""email: one message through the operator's mail server."""

from collections.abc import Iterator, Mapping, Sequence
from email.message import EmailMessage
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Fail, Handler, PermanentFailure, Retry
from jobs.handlers.exchange import TimeIsUp, Trouble
from jobs.handlers.mail.addresses import BadAddress, parsed
from jobs.handlers.mail.message import (
    LISTS,
    PRINTABLE,
    AsItIs,
    Attachment,
    attachment_name,
    is_file_name,
    is_one_line,
    message_id,
    message_of,
    recipients,
    sender,
)
from jobs.handlers.mail.smtp import Refusal, Reply, send
from jobs.handlers.schemas import Fault, token
from jobs.handlers.sources import artefact_faults

SMTP = "django.core.mail.backends.smtp.EmailBackend"
# What a job may say beside From, To and the like, which are made of its fields.
HEADERS = (
    *("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "List-Help", "List-Archive"),
    *("Auto-Submitted", "Precedence", "Importance", "In-Reply-To", "References", "Feedback-ID"),
)
ADDRESSES = {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 500}}


class EmailHandler(Handler):
    type = "email"
    title = gettext_noop("E-mail")
    description = gettext_noop("Sends one message, with attachments, from the address of your organisation.")
    schema = {
        "type": "object",
        "properties": {
            "to": {**ADDRESSES, "minItems": 1, "description": "Addresses, or Name <address>."},
            "cc": ADDRESSES,
            "bcc": {**ADDRESSES, "description": "Whom the others do not see."},
            "subject": {"type": "string", "minLength": 1, "maxLength": 250},
            "text": {"type": "string", "minLength": 1},
            "html": {"type": "string", "minLength": 1, "description": "The same for programs that show HTML."},
            "from_name": {
                "type": "string",
                "maxLength": 100,
                "description": "Shown before the address, which is fixed.",
            },
            "reply_to": {"type": "string", "minLength": 1, "maxLength": 500},
            "headers": {
                "type": "object",
                "properties": {name: {"type": "string", "minLength": 1, "maxLength": 900} for name in HEADERS},
                "additionalProperties": False,
            },
            "attachments": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "artefact": {"type": "string", "maxLength": 36},
                        "name": {"type": "string", "minLength": 1, "maxLength": 120},
                    },
                    "required": ["artefact"],
                    "additionalProperties": False,
                },
                "description": "Files of your organisation, by their ids.",
            },
        },
        "required": ["to", "subject", "text"],
        "additionalProperties": False,
    }
    example = {
        "to": ["Ada Lovelace <ada@example.com>"],
        "subject": "Your report is ready",
        "text": "Good morning,\n\nyour report is ready.\n",
    }

    def works_with_files(self, payload: Mapping[str, Any]) -> bool:
        return bool(payload.get("attachments"))

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        found = [*address_faults(payload), *line_faults(payload), *attachment_faults(payload)]
        if settings.EMAIL_BACKEND == SMTP and not settings.EMAIL_HOST:
            found.append(("", "E-mail is not set up here; an operator sets SMARTQUEUE_EMAIL_URL."))
        try:
            sender(payload, org_settings)
        except BadAddress as error:
            found.append(("", str(error)))
        return found

    def run(self, context: Context) -> Answer:
        context.progress(0.1, "writing")
        message = message_of(context, attachments(context))
        context.check_stopped()
        if settings.EMAIL_BACKEND != SMTP:
            get_connection().send_messages([AsItIs(message, recipients(context.payload))])
            return Done(result_of(context, message.as_bytes(), {}))
        try:
            return sent(context, message)
        except Refusal as error:
            result = {"refused": told(error.recipients)} if error.recipients else None
            if error.reply.is_final:
                return Fail(str(error), "MailRefused", result)
            return Retry(str(error), error_type="MailDeferred", result=result)
        except TimeIsUp as error:
            return Retry(str(error), error_type="MailTimeout")
        except Trouble as error:
            return Retry(str(error), error_type="ConnectionTrouble")


def sent(context: Context, message: EmailMessage) -> Answer:
    origin = sender(context.payload, context.org_settings)
    data = message.as_bytes()
    context.progress(0.3, f"calling {settings.EMAIL_HOST}")
    refused = send(context, origin.address, recipients(context.payload), data)
    result = result_of(context, data, refused)
    context.log(f"{len(result['accepted'])} recipients accepted, {len(refused)} refused")
    return Done(result)


def result_of(context: Context, data: bytes, refused: Mapping[str, Reply]) -> dict[str, Any]:
    return {
        "message_id": message_id(context, sender(context.payload, context.org_settings)),
        "accepted": [one for one in recipients(context.payload) if one not in refused],
        "refused": told(refused),
        "bytes": len(data),
    }


def told(refused: Mapping[str, Reply]) -> list[dict[str, Any]]:
    return [{"address": address, "code": reply.code, "reply": reply.text} for address, reply in refused.items()]


def attachments(context: Context) -> list[Attachment]:
    """Raises PermanentFailure where there is no such file, or they are too large together."""
    found, size = [], 0
    for number, one in enumerate(context.payload.get("attachments", []), 1):
        context.check_stopped()
        file = context.copy_artefact(one["artefact"], f"attachment-{number}")
        size += file.path.stat().st_size
        if size > settings.EMAIL_ATTACHMENTS_MAX_BYTES:
            raise PermanentFailure(f"The attachments have more than {settings.EMAIL_ATTACHMENTS_MAX_BYTES} bytes.")
        name = attachment_name(one.get("name", ""), file, number)
        found.append(Attachment(name, file.content_type, file.path.read_bytes()))
    return found


# --- what the schema cannot say -------------------------------------------------------------------------------------


def address_faults(payload: Mapping[str, Any]) -> Iterator[Fault]:
    count = sum(len(payload.get(name, [])) for name in LISTS)
    if count > settings.EMAIL_RECIPIENTS_MAX:
        yield "/to", f"At most {settings.EMAIL_RECIPIENTS_MAX} recipients in to, cc and bcc."
        return
    places = [(f"/{name}/{number}", text) for name in LISTS for number, text in enumerate(payload.get(name, []))]
    places += [("/reply_to", payload["reply_to"])] if "reply_to" in payload else []
    for pointer, text in places:
        try:
            parsed(text)
        except BadAddress as error:
            yield pointer, str(error)


def line_faults(payload: Mapping[str, Any]) -> Iterator[Fault]:
    if not is_one_line(payload["subject"]):
        yield "/subject", "A subject has no line breaks or control characters."
    name = payload.get("from_name", "")
    if not is_one_line(name) or any(character in name for character in "<>@"):
        yield "/from_name", "A name has no line breaks, control characters, <, > or @."
    for header, value in payload.get("headers", {}).items():
        if not PRINTABLE.fullmatch(value):
            yield f"/headers{token(header)}", "A header's value is one line of ASCII."
    for field in ("text", "html"):
        if "\0" in payload.get(field, ""):
            yield f"/{field}", "May not hold a NUL character."


def attachment_faults(payload: Mapping[str, Any]) -> Iterator[Fault]:
    wanted = payload.get("attachments", [])
    if len(wanted) > settings.EMAIL_ATTACHMENTS_MAX:
        yield "/attachments", f"At most {settings.EMAIL_ATTACHMENTS_MAX}."
    for number, one in enumerate(wanted):
        yield from artefact_faults(f"/attachments/{number}/artefact", one["artefact"])
        if "name" in one and not is_file_name(one["name"]):
            yield f"/attachments/{number}/name", "This is not a file's name."
