"""A manage.py command in a process of its own: the leader begins it, and watches it without waiting for it."""

import os
import resource
import signal
import subprocess
import sys
import time

from django.conf import settings

from jobs.handlers.launcher import PR_SET_PDEATHSIG, lower, prctl

NICE = 10


class Aside:
    """One that may take so many seconds. It calls `bound` with the number it is given as --parent."""

    def __init__(self, *words: str, seconds: float) -> None:
        self.ends_by = time.monotonic() + seconds
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *words, "--parent", str(os.getpid())],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def over(self) -> bool:
        """Whether it has ended, or its time has."""
        return self.process.poll() is not None or time.monotonic() >= self.ends_by

    def end(self) -> int | None:
        """It is gone after this. Its status; None when it had to be ended."""
        status = self.process.poll()
        self.process.kill()
        self.process.wait()
        return status


def bound(parent: int, memory_max_bytes: int) -> None:
    """For the process itself: end with the one that began it, give way to others, and have memory refused."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # it is gone already
        sys.exit(1)
    os.nice(NICE)
    lower(resource.RLIMIT_AS, memory_max_bytes)
