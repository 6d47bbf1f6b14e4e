"""A real mail server on loopback that keeps what it takes."""

import asyncio
import email.message
import email.policy
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from django.test import override_settings

BACKEND = "django.core.mail.backends.smtp.EmailBackend"


@dataclass
class Taken:
    """One message as it came."""

    sender: str
    recipients: list[str]
    data: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> email.message.EmailMessage:
        found = BytesParser(policy=email.policy.default).parsebytes(self.data)
        assert isinstance(found, email.message.EmailMessage)
        return found

    @property
    def raw_headers(self) -> list[str]:
        """The lines before the first empty one, folded ones joined."""
        head = self.data.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii")
        return head.replace("\n ", " ").replace("\n\t", " ").split("\n")


@dataclass
class Mailbox:
    """`replies` says what is answered: to RCPT by address, to MAIL, DATA and the whole message by those words."""

    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    replies: dict[str, str] = field(default_factory=dict)
    # addresses in the order they were asked for
    asked: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if said := self.replies.get("MAIL"):
            return said
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        self.asked.append(address)
        if said := self.replies.get(address) or self.replies.get("RCPT"):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if said := self.replies.get("DATA"):
            return said
        assert isinstance(envelope.content, bytes)
        user = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None
        taken = Taken(envelope.mail_from or "", envelope.rcpt_tos, envelope.content, session.ssl is not None, user)
        self.taken.append(taken)
        return "250 OK"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        right = data.password == b"p@ss word"
        # not handled: aiosmtpd says 535
        return AuthResult(success=right, handled=right, auth_data=data)


@contextmanager
def taking_mail(**options: Any) -> Iterator[Mailbox]:
    """`implicit_tls`: a context for TLS from the first byte; the rest is aiosmtpd's. Jobs send here while it lasts."""
    box = Mailbox()
    loop = asyncio.new_event_loop()
    tls: ssl.SSLContext | None = options.pop("implicit_tls", None)
    if options.get("auth_required"):
        options["authenticator"] = box.authenticate

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # it does not see that there is TLS already
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return SMTP(box, loop=loop, hostname="mx.test", **options)

    make = loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    server = loop.run_until_complete(make)
    box.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with override_settings(EMAIL_BACKEND=BACKEND, EMAIL_HOST="127.0.0.1", EMAIL_PORT=box.port):
        yield box
    asyncio.run_coroutine_threadsafe(ended(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
