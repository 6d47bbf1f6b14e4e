"""The fork servers of a worker (forkserver.py), which make the processes that isolated attempts run in."""

import os
import re
import socket
import subprocess
import sys
import threading
from secrets import token_hex

from django.conf import settings

# Variables that may hold one; settings.py refuses to start without some of them, which are made up.
SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASS|URL|DSN|CONNECTION|CREDENTIAL|^PG|^AWS|HOST", re.IGNORECASE)


class ForkServer:
    """A fork server of the worker: started with the first attempt that needs it, and again when it is gone.

    One for the confined attempts of a type is told no secret: what takes over one of its forks can tell none. It has
    loaded what this type needs and no more, for the time that a fork takes grows with what is loaded.
    """

    def __init__(self, confined: str = "") -> None:
        # the type, or nothing
        self.confined = confined
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, *descriptors: int) -> None:
        with self._lock:
            try:
                self.send(descriptors)
            except OSError:
                # it was killed; one that cannot live is told of by its attempts
                self.close()
                self.send(descriptors)

    def send(self, descriptors: tuple[int, ...]) -> None:
        if self._control is None:
            self.start()
        assert self._control is not None
        socket.send_fds(self._control, [b"+"], descriptors)

    def start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "manage.py",
                    "forkserver",
                    str(theirs.fileno()),
                    *(["--confined", self.confined] if self.confined else []),
                ],
                cwd=settings.BASE_DIR,
                env=without_secrets() if self.confined else without_keys(),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def forget(self) -> None:
        """In a fork of the worker, which must not talk to its parent's."""
        self._lock = threading.Lock()
        self._process = None
        self.close()

    def close(self) -> None:
        """It, and all below it, ends."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def without_keys() -> dict[str, str]:
    """An environment in which no organisation's secret can be read: a child is told those that its payload names."""
    return {**os.environ, "ENCRYPTION_KEYS": f"none:{token_hex(32)}"}


def without_secrets() -> dict[str, str]:
    """An environment that settings.py starts with, in which nothing opens anything."""
    names = [name for name in os.environ if not SECRET_NAME.search(name)]
    made_up = {name: token_hex(32) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")}
    return {
        **{name: os.environ[name] for name in names},
        **made_up,
        "ENCRYPTION_KEYS": without_keys()["ENCRYPTION_KEYS"],
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    }


# By type; the one for attempts that are not confined has none.
servers: dict[str, ForkServer] = {}
_starting = threading.Lock()


def server_for(confined: str) -> ForkServer:
    """Of the confined attempts of a type, or of all that are not."""
    with _starting:
        if confined not in servers:
            servers[confined] = ForkServer(confined)
        return servers[confined]


def close_servers() -> None:
    for server in servers.values():
        server.close()


def forget_servers() -> None:
    global _starting
    _starting = threading.Lock()
    for server in servers.values():
        server.forget()


os.register_at_fork(after_in_child=forget_servers)
