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

    The one for confined attempts is told no secret: what takes over one of its forks can tell none.
    """

    def __init__(self, *, confined: bool = False) -> None:
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
                [sys.executable, "manage.py", "forkserver", str(theirs.fileno()), *["--confined"] * self.confined],
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


fork_server = ForkServer()
confined_server = ForkServer(confined=True)
for each in (fork_server, confined_server):
    os.register_at_fork(after_in_child=each.forget)


def close_servers() -> None:
    fork_server.close()
    confined_server.close()
