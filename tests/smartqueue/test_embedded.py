"""The embedded PostgreSQL: made, started, found closed to others, stopped, started again after a crash."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import psutil
import psycopg
import pytest

from smartqueue.database import database_url
from smartqueue.embedded import CONF, EmbeddedError, Server
from smartqueue.pghome import LONGEST_SOCKET_DIR, socket_dir
from tests.eventually import eventually


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sq state ") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder, "a b")


@pytest.fixture(scope="module")
def server(state: Path) -> Iterator[Server]:
    server = Server(state, CONF)
    server.start()
    server.role_ready()
    yield server
    server.stop()
    server.destroy()


@pytest.fixture
def url(server: Server, state: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SMARTQUEUE_STATE_DIR", str(state))
    monkeypatch.delenv("DATABASE_URL")
    return database_url()


def test_our_role_is_no_superuser_and_durability_is_on(url: str) -> None:
    with psycopg.connect(url) as connection:
        (superuser,) = connection.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() or ()
        settings = dict(
            connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
                [["fsync", "synchronous_commit", "listen_addresses"]],
            ).fetchall()
        )

    assert superuser is False
    assert settings == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}


def test_a_wrong_password_is_refused(url: str, state: Path) -> None:
    known = json.loads((state / "secrets.json").read_text())["database_password"]

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(known, "guess"))


def test_the_socket_and_the_data_are_closed_to_others(server: Server, url: str) -> None:
    for folder in (server.data, server.socket_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "%2F" in url
    assert unquote(url).find(str(server.socket_dir)) > 0


def test_it_does_not_run_as_root(server: Server, url: str) -> None:
    assert server.process
    assert psutil.Process(server.process.pid).uids().real != 0 or os.geteuid() != 0


def test_it_starts_again_after_a_crash_with_what_was_committed(server: Server, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert server.process
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()

    server.start()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_second_server_object_takes_over_what_a_killed_owner_left(server: Server, url: str, state: Path) -> None:
    assert server.process
    left = server.process.pid
    other = Server(state, CONF)

    other.start()

    eventually(lambda: server.process and server.process.poll() is not None)
    assert other.process
    assert other.process.pid != left
    other.stop()
    server.start()


def test_data_of_another_version_is_explained(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartqueue.embedded.MAJOR", "19")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 18"):
        server.check_data()


def test_lost_secrets_are_explained(server: Server, state: Path) -> None:
    text = (state / "secrets.json").read_text()
    (state / "secrets.json").write_text("{}")
    try:
        with pytest.raises(EmbeddedError, match=r"other passwords than .*secrets\.json"):
            server.role_ready()
    finally:
        (state / "secrets.json").write_text(text)


def test_a_long_path_has_its_socket_elsewhere() -> None:
    folder = socket_dir(Path("/tmp", "x" * 120))

    assert len(os.fsencode(folder)) <= LONGEST_SOCKET_DIR
