"""email jobs and mail servers that want TLS and a login, hang, or talk nonsense."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers import registry
from jobs.handlers.base import Answer, Done, Fail, Retry, Stopped, StopReason
from tests.eventually import eventually
from tests.jobs.handlers.fakes import in_thread, make_context, run
from tests.jobs.handlers.mailbox import BACKEND, taking_mail

LETTER = {"to": ["ada@example.com"], "subject": "Report", "text": "Good morning.\n"}
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """A server's side, and the certificate that a client must trust."""
    folder = tmp_path_factory.mktemp("certificate")
    pem, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=mx", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    return context, str(pem)


# --- TLS and logins -------------------------------------------------------------------------------------------------


@needs_openssl
@pytest.mark.parametrize("way", ["STARTTLS", "implicit"])
def test_it_is_sent_encrypted_by_who_may_send(way: str, tls: tuple[ssl.SSLContext, str], settings: Settings) -> None:
    settings.HTTP_CA_FILE = tls[1]
    settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = way == "STARTTLS", way == "implicit"
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "acme", "p@ss word"
    options = {"tls_context": tls[0], "require_starttls": True} if way == "STARTTLS" else {"implicit_tls": tls[0]}

    with taking_mail(auth_required=True, auth_require_tls=way == "STARTTLS", **options) as box:
        answer = run("email", LETTER)

    assert isinstance(answer, Done), answer
    (taken,) = box.taken
    assert (taken.user, box.logins) == ("acme", [("acme", "p@ss word")])
    assert taken.encrypted or way == "implicit"


@needs_openssl
def test_a_wrong_password_is_the_operators_to_mend_and_is_told_to_nobody(
    tls: tuple[ssl.SSLContext, str], settings: Settings
) -> None:
    settings.HTTP_CA_FILE = tls[1]
    settings.EMAIL_USE_TLS = True
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "acme", "hunter2"

    with taking_mail(tls_context=tls[0], require_starttls=True, auth_required=True) as box:
        answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert (answer.error_type, box.taken) == ("ConnectionTrouble", [])
    assert answer.reason == "The mail server cannot be used: it refuses the login (535)"


@needs_openssl
def test_a_certificate_that_nobody_trusts_gets_nothing(tls: tuple[ssl.SSLContext, str], settings: Settings) -> None:
    settings.EMAIL_USE_TLS = True

    with taking_mail(tls_context=tls[0]) as box:
        answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert "certificate is not trusted" in answer.reason
    assert box.taken == []


def test_nothing_is_sent_in_the_clear_where_tls_is_asked_for(settings: Settings) -> None:
    settings.EMAIL_USE_TLS = True

    with taking_mail() as box:
        answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert "STARTTLS" in answer.reason
    assert (box.taken, box.asked) == ([], [])


# --- servers that do not do their work ------------------------------------------------------------------------------


@contextmanager
def speaking(talk: Callable[[socket.socket], None], settings: Settings) -> Iterator[None]:
    """A server that does this with each client."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = BACKEND, "127.0.0.1"
    settings.EMAIL_PORT = listener.getsockname()[1]

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client, suppress(OSError):
                    talk(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def silent(client: socket.socket) -> None:
    """Until the client has gone."""
    while client.recv(1_000):
        pass


def silent_after(answers: int) -> Callable[[socket.socket], None]:
    """EHLO, MAIL, RCPT and DATA are answered, or fewer of them."""

    def talk(client: socket.socket) -> None:
        client.sendall(b"220 hello\r\n")
        for reply in [b"250 mx\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"][:answers]:
            client.recv(10_000)
            client.sendall(reply)
        silent(client)

    return talk


def drip(client: socket.socket) -> None:
    """A reply that never ends."""
    while True:
        client.sendall(b"220-still here\r\n")
        time.sleep(0.02)


@pytest.mark.parametrize(
    "talk", [silent, drip, *map(silent_after, range(5))], ids=["silent", "dripping", *(f"after {n}" for n in range(5))]
)
def test_a_server_that_hangs_is_left_in_time(talk: Callable[[socket.socket], None], settings: Settings) -> None:
    settings.EMAIL_TIMEOUT = 0.5

    with speaking(talk, settings):
        began = time.monotonic()
        answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert (answer.error_type, time.monotonic() - began < 2) == ("MailTimeout", True)


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.TIMEOUT, StopReason.LEASE_LOST])
@pytest.mark.parametrize("talk", [silent, drip, silent_after(4)], ids=["silent", "dripping", "at the end"])
def test_a_hanging_server_is_left_when_the_attempt_must_end(
    talk: Callable[[socket.socket], None], reason: StopReason, settings: Settings
) -> None:
    with speaking(talk, settings):
        context = make_context("email", LETTER)
        thread, ends = in_thread(context)
        eventually(lambda: context.reporter.steps[-1:] != [(0.1, "writing")])  # type: ignore[attr-defined]
        time.sleep(0.1)
        began = time.monotonic()
        context.stop(reason)
        thread.join(10)

    took = time.monotonic() - began
    print(f"ended {took * 1000:.0f} ms after being told")
    assert took < 1
    assert [type(end) for end in ends] == [Stopped]


def test_a_job_out_of_time_has_a_timeout(settings: Settings) -> None:
    with speaking(silent, settings):
        context = make_context("email", LETTER, timeout_seconds=0.5)
        with pytest.raises(Stopped):
            registry.get("email").perform(context)

    assert context.stop_reason is StopReason.TIMEOUT


def test_a_message_that_was_taken_is_sent_whoever_stops_then(settings: Settings) -> None:
    """A cancellation that comes with the last reply does not undo it."""
    context = make_context("email", LETTER)

    def talk(client: socket.socket) -> None:
        client.sendall(b"220 hello\r\n")
        for reply in (b"250 mx\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go on\r\n"):
            client.recv(10_000)
            client.sendall(reply)
        while not client.recv(10_000).endswith(b"\r\n.\r\n"):
            pass
        client.sendall(b"250 taken\r\n")
        client.recv(1_000)
        context.stop(StopReason.CANCELLED)
        silent(client)

    with speaking(talk, settings):
        answer = registry.get("email").perform(context)

    assert isinstance(answer, Done)
    assert answer.result["accepted"] == ["ada@example.com"]


@pytest.mark.parametrize(
    "words",
    [
        *(b"", b"nonsense\r\n", b"220", b"554 go away\r\n", b"421 busy\r\n"),
        *(b"\xff\xfe\0\0" * 50 + b"\r\n", b"220 " + b"x" * 50_000),
    ],
    ids=["nothing", "nonsense", "half a line", "554", "421", "bytes", "long"],
)
def test_a_server_that_greets_badly_is_tried_again(words: bytes, settings: Settings) -> None:
    with speaking(lambda client: client.sendall(words), settings):
        answer: Answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert not isinstance(answer, Fail)
    assert answer.error_type == "ConnectionTrouble"
    assert len(answer.reason) < 500


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_where_there_is_no_server_it_is_tried_again(host: str, settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = BACKEND, host, port

    answer = run("email", LETTER)

    assert isinstance(answer, Retry)
    assert answer.error_type == "ConnectionTrouble"


def test_it_has_a_folder_only_for_attachments() -> None:

    handler = registry.get("email")
    assert not handler.works_with_files(LETTER)
    assert handler.works_with_files({**LETTER, "attachments": [{"artefact": "x"}]})
    assert not handler.is_isolated(LETTER)
