"""The embedded PostgreSQL of the first minute: a wheel's binaries, run by us, reached over a private socket."""

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import psutil
import psycopg
from psycopg import sql

from smartqueue.pghome import (
    die_with_parent,
    installed_binaries,
    make_server_folder,
    reachable_binaries,
    server_account,
    server_folder,
    socket_dir,
)
from smartqueue.state import owner, prepare, secret, write_private

MAJOR = "18"
ROLE = DATABASE = "smartqueue"
MEGABYTE = 2**20


def shared_buffers() -> str:
    """An eighth of the memory, from 128 MB to 1 GB: what is written anew soon need not be read back, nor evicted."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(max(memory // 8 // MEGABYTE, 128), 1024)}MB"


# Written to postgresql.conf when the cluster is made; from then on the file is its owner's to change.
CONF = {
    "max_connections": "120",
    "shared_buffers": shared_buffers(),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # Queue statements are short; compiling them costs more than it saves.
    "jit": "off",
    # A busy queue writes 30 MB of log a second; after each checkpoint whole pages again.
    "max_wal_size": "4GB",
    # A commit of a thousand jobs is half a megabyte of log.
    "wal_buffers": "16MB",
    # The hot tables live by being vacuumed often.
    "autovacuum_naptime": "10s",
}


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


class AsAccount(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]
    cwd: Path
    env: dict[str, str]
    start_new_session: bool
    umask: int


class Server:
    """One cluster, below a state folder. Whoever calls start() owns the process and calls stop()."""

    def __init__(self, state: Path, conf: Mapping[str, str] = CONF) -> None:
        self.state = state
        self.conf = conf
        self.log_path = state / "logs" / "postgresql.log"
        self.process: subprocess.Popen[bytes] | None = None

    @functools.cached_property
    def folder(self) -> Path:
        return server_folder(self.state)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @functools.cached_property
    def socket_dir(self) -> Path:
        return socket_dir(self.state)

    @functools.cached_property
    def account(self) -> pwd.struct_passwd | None:
        """Whom PostgreSQL runs as; None for ourselves. It refuses to run as root."""
        return server_account() if os.geteuid() == 0 else None

    @functools.cached_property
    def binaries(self) -> Path:
        return reachable_binaries(self.folder) if self.account else installed_binaries()

    def start(self, within_seconds: float = 120.0) -> None:
        """Make the cluster if needed, start it and wait until it takes connections. Recovery may take a while."""
        prepare(self.state)
        (self.state / "logs").mkdir(mode=0o700, exist_ok=True)
        make_server_folder(self.state, self.folder)
        if not (self.data / "PG_VERSION").exists():
            self.create()
        self.check_data()
        deadline = time.monotonic() + within_seconds
        for attempt in range(6):
            self.spawn()
            if self.wait_ready(deadline):
                return
            # Just after a kill -9 the old processes may still hold shared memory or the lock file.
            time.sleep(0.2 * 2**attempt)
        raise EmbeddedError(f"PostgreSQL does not start. The end of {self.log_path}:\n{tail(self.log_path)}")

    def create(self) -> None:
        """initdb. The superuser's password is a secret that only role_ready() uses."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self.private_folder(draft)
        password = self.folder / ".initdb-password"
        write_private(password, secret("database_superuser_password", self.state))
        self.give(password)
        settings = [word for name, value in self.conf.items() for word in ("-c", f"{name}={value}")]
        # Collation and encoding come with PostgreSQL itself, so that they are the same under any LANG.
        locale = ["--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        command = [str(self.binaries / "initdb"), "-D", str(draft), "-U", "postgres", f"--pwfile={password}"]
        if self.conf.get("fsync") == "off":
            command.append("--no-sync")
        done = subprocess.run(
            [*command, "--auth=scram-sha-256", "--no-instructions", *locale, *settings],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **self.as_account(),
        )
        password.unlink()
        if done.returncode != 0:
            raise EmbeddedError(f"initdb failed:\n{(done.stdout + done.stderr).decode(errors='replace')[-2000:]}")
        # The name appears only when the cluster is whole: an interrupted initdb leaves nothing that looks made.
        draft.rename(self.data)

    def check_data(self) -> None:
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {version}, not {MAJOR}: dump it there, or `make reset`"
            )
        expected = self.account.pw_uid if self.account else os.geteuid()
        if self.data.stat().st_uid != expected:
            raise EmbeddedError(
                f"{self.data} belongs to {owner(self.data)}: it was made by another user."
                " Run as that user, or set SMARTQUEUE_STATE_DIR to another folder."
            )

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start without waiting. The server stops by itself, in good order, if this process is killed."""
        self.private_folder(self.socket_dir)
        self.evict_orphan()
        options = ["-c", "listen_addresses=", "-c", f'unix_socket_directories="{self.socket_dir}"']
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(self.binaries / "postgres"),
                    "-D",
                    str(self.data),
                    *options,
                    "-c",
                    "unix_socket_permissions=0700",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(signal.SIGINT),
                **self.as_account(),
            )
        return self.process

    def wait_ready(self, deadline: float) -> bool:
        """True once connections are taken, False when the server ended instead."""
        assert self.process
        while self.process.poll() is None:
            lines = self.lock_file()
            if len(lines) >= 8 and lines[0].strip() == str(self.process.pid) and lines[7].strip() == "ready":
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise EmbeddedError(f"PostgreSQL is not ready in time:\n{tail(self.log_path)}")
            time.sleep(0.01)
        return False

    def stop(self) -> None:
        """Fast shutdown, so that the next start needs no recovery; harder if it does not end."""
        for signum, seconds in ((signal.SIGINT, 8.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0)):
            if self.process and self.process.poll() is None:
                self.process.send_signal(signum)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(seconds)

    def destroy(self) -> None:
        """Remove all that was made outside the state folder, and the data."""
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.socket_dir, ignore_errors=True)
        if self.folder != self.state:
            shutil.rmtree(self.folder, ignore_errors=True)
            (self.state / "server").unlink(missing_ok=True)

    def role_ready(self, *, may_create_databases: bool = False) -> None:
        """Our role, no superuser, and its database. Only a hash is sent, so no log can show the password."""
        try:
            connection = psycopg.connect(**self.superuser(), autocommit=True)
        except psycopg.OperationalError as error:
            raise EmbeddedError(
                f"the database in {self.data} has other passwords than {self.state / 'secrets.json'}:"
                f" restore that file, or `make reset`.\n{error}"
            ) from error
        with connection:
            password = connection.pgconn.encrypt_password(
                secret("database_password", self.state).encode(), ROLE.encode(), b"scram-sha-256"
            )
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
            connection.execute(
                sql.SQL(
                    "{verb} ROLE {role} LOGIN NOSUPERUSER NOCREATEROLE BYPASSRLS {createdb} PASSWORD {password}"
                ).format(
                    verb=sql.SQL("ALTER" if known else "CREATE"),
                    role=sql.Identifier(ROLE),
                    createdb=sql.SQL("CREATEDB" if may_create_databases else "NOCREATEDB"),
                    password=sql.Literal(password.decode()),
                )
            )
            web_role_ready(connection)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                names = sql.Identifier(DATABASE), sql.Identifier(ROLE)
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))

    def superuser(self) -> dict[str, Any]:
        password = secret("database_superuser_password", self.state)
        return {"host": str(self.socket_dir), "user": "postgres", "password": password, "dbname": "postgres"}

    def evict_orphan(self) -> None:
        """Stop a server left over by an owner that was killed, and drop the lock of one whose pid is reused."""
        lines = self.lock_file()
        if not lines:
            return
        try:
            left = psutil.Process(int(lines[0]))
            ours = "postgres" in left.name() and str(self.data) in left.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied, ValueError):
            return
        if not ours:
            (self.data / "postmaster.pid").unlink(missing_ok=True)
            return
        left.send_signal(signal.SIGINT)
        with contextlib.suppress(psutil.TimeoutExpired):
            left.wait(20)

    def lock_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def private_folder(self, folder: Path) -> None:
        """A folder of the account PostgreSQL runs as, closed to others; never one that someone else prepared."""
        if not folder.is_symlink() and not folder.exists():
            folder.mkdir(mode=0o700)
            self.give(folder)
        expected = self.account.pw_uid if self.account else os.geteuid()
        if folder.is_symlink() or folder.stat().st_uid != expected or folder.stat().st_mode & 0o077:
            raise EmbeddedError(f"{folder} must belong to the user of PostgreSQL and be closed to others: remove it")

    def give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def as_account(self) -> AsAccount:
        # Few variables: PG* and LC_* of whoever types the command must not change the server.
        options = AsAccount(
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            umask=0o077,
        )
        if self.account:
            options |= AsAccount(user=self.account.pw_uid, group=self.account.pw_gid, extra_groups=[])
        return options


def web_role_ready(connection: psycopg.Connection) -> None:
    """The role that web requests act as (orgs.row_security), which our own may not make."""
    web, ours = sql.Identifier(f"{ROLE}_web"), sql.Identifier(ROLE)
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [f"{ROLE}_web"]).fetchone():
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(web))
    connection.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS").format(web))
    connection.execute(sql.SQL("GRANT {} TO {}").format(web, ours))


def tail(path: Path, lines: int = 20) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"({error})"
