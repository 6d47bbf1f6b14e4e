"""https jobs: the host's own name in SNI and certificate, whatever address is connected to."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers.base import Done, Retry
from tests.jobs.handlers.fakes import run
from tests.jobs.handlers.server import Server, serving

HOST = "service.example"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certificate")
    pem, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    return pem, key


@pytest.fixture
def secure(
    certificate: tuple[Path, Path], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Server, list[str | None]]]:
    """A server with a certificate of HOST, to which every name leads; and the names it was greeted by."""
    greeted: list[str | None] = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    tls.sni_callback = lambda one, name, context: greeted.append(name)
    settings.HTTP_CA_FILE = str(certificate[0])

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with serving(tls) as server:
        settings.HTTP_ALLOW_HOSTS = [HOST, "other.example"]
        server.on("/", body="secret")
        yield server, greeted


def test_the_name_is_in_sni_host_and_certificate(secure: tuple[Server, list[str | None]]) -> None:
    server, greeted = secure

    answer = run("http", {"url": f"https://{HOST}:{server.port}/"})

    assert isinstance(answer, Done)
    assert answer.result["body"] == "secret"
    assert greeted == [HOST]
    assert server.asked[0].headers["Host"] == f"{HOST}:{server.port}"


def test_a_certificate_of_another_name_is_refused(secure: tuple[Server, list[str | None]]) -> None:
    server, _ = secure

    answer = run("http", {"url": f"https://other.example:{server.port}/"})

    assert isinstance(answer, Retry)
    assert "doesn't match" in answer.reason or "mismatch" in answer.reason
    assert server.hits == 0


def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: tuple[Server, list[str | None]], settings: Settings
) -> None:
    server, _ = secure
    settings.HTTP_CA_FILE = ""

    answer = run("http", {"url": f"https://{HOST}:{server.port}/"})

    assert isinstance(answer, Retry)
    assert "CERTIFICATE_VERIFY_FAILED" in answer.reason
    assert server.hits == 0


def test_a_server_that_never_greets_back_is_given_up(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        authority = f"127.0.0.1:{mute.getsockname()[1]}"
        settings.HTTP_ALLOW_HOSTS = [authority]

        answer = run("http", {"url": f"https://{authority}/", "timeout_seconds": 0.3})

    assert answer == Retry("No whole response within 0.3 s.", error_type="HttpTimeout")
