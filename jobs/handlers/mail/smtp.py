"""One message to the operator's mail server, within a time, and given up when the attempt must end."""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.conf import settings

from jobs.handlers.addresses import Target, Unresolved
from jobs.handlers.base import Context, StopReason
from jobs.handlers.exchange import Line, TimeIsUp, Trouble, trust

REPLY_CHARACTERS = 300


class Reply(NamedTuple):
    """What a mail server said."""

    code: int
    text: str

    @property
    def is_final(self) -> bool:
        return self.code >= 500


class Refusal(Exception):
    """The server took the message for none of its recipients."""

    def __init__(self, reply: Reply, recipients: dict[str, Reply]) -> None:
        super().__init__(f"The mail server answered {reply.code} {reply.text}".strip())
        self.reply = reply
        self.recipients = recipients


class Client(smtplib.SMTP):
    """smtplib's, over a connection that is already there, so that it looks up nothing itself."""

    def __init__(self, opened: socket.socket) -> None:
        super().__init__(local_hostname=settings.EMAIL_HELO_NAME)
        self._host = settings.EMAIL_HOST
        if settings.EMAIL_USE_SSL:
            opened = trust(settings.HTTP_CA_FILE).wrap_socket(opened, server_hostname=settings.EMAIL_HOST)
        self.sock = opened

    def begin(self) -> None:
        """Up to where messages are taken. Raises what smtplib does."""
        code, text = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        self.ehlo_or_helo_if_needed()
        if settings.EMAIL_USE_TLS:
            # raises where the server has none: nothing is sent in the clear that should not be
            self.starttls(context=trust(settings.HTTP_CA_FILE))
            self.ehlo_or_helo_if_needed()
        if settings.EMAIL_HOST_USER:
            self.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)


def send(context: Context, sender: str, recipients: Sequence[str], message: bytes) -> dict[str, Reply]:
    """The recipients that were refused; the others have it, and are not to get it again.

    Raises Refusal when that is all of them, Trouble, TimeIsUp, Stopped.
    """
    with Line(context, min(settings.EMAIL_TIMEOUT, context.seconds_left())) as line:
        try:
            with connected(line) as client:
                context.progress(0.5, "sending")
                try:
                    refused = client.sendmail(sender, recipients, message)
                except smtplib.SMTPRecipientsRefused as error:
                    raise refusal(error.recipients) from None
                except smtplib.SMTPResponseException as error:
                    raise Refusal(reply_of(error.smtp_code, error.smtp_error), {}) from None
                return {address: reply_of(*said) for address, said in refused.items()}
        except (Unresolved, OSError, ValueError) as error:
            if context.seconds_left() <= 0:
                context.stop(StopReason.TIMEOUT)
            context.check_stopped()
            if line.is_cut:
                raise TimeIsUp(f"The mail server had not taken the message within {line.seconds:g} s.") from error
            raise Trouble(f"The mail server cannot be used: {words(error)}") from error


@contextlib.contextmanager
def connected(line: Line) -> Iterator[Client]:
    with line.open(Target("smtp", settings.EMAIL_HOST, settings.EMAIL_PORT, "", allowed=True)) as opened:
        opened.settimeout(line.seconds_left())
        client = Client(opened)
        try:
            client.begin()
            yield client
            # the message is taken: what becomes of the farewell is no matter
            with contextlib.suppress(OSError, ValueError):
                client.quit()
        finally:
            client.close()


def refusal(recipients: dict[str, tuple[int, bytes]]) -> Refusal:
    """Worth another try as long as one of them may then be taken."""
    found = {address: reply_of(*said) for address, said in recipients.items()}
    reply = min(found.values(), key=lambda one: one.is_final)
    return Refusal(reply, found)


def reply_of(code: int, text: bytes | str) -> Reply:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return Reply(code, " ".join(plain.split())[:REPLY_CHARACTERS])


def words(error: Exception) -> str:
    """Without what it was told: a reply to a login may repeat it."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refuses the login ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {' '.join(map(str, reply_of(error.smtp_code, error.smtp_error)))}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return f"{type(error).__name__}: {error}"[:REPLY_CHARACTERS]
