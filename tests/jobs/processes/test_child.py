"""The limits of an isolated attempt's process, as one that is not root meets them."""

import os
import time

import pytest

from jobs.handlers.launcher import threads_of
from jobs.processes.child import limit

# An account that has no processes, whichever tests run beside this one.
NOBODY = 2_000_000 + os.getpid()
# Never more than these, whatever becomes of the limit.
MOST, LIMIT = 40, 10
LIMITS = {"memory_bytes": 10**9, "processor_seconds": 60, "file_bytes": 10**6, "processes": LIMIT}


def started_by_nobody() -> int:
    """How many processes one may start under the limits."""
    limit(LIMITS, threads_of(os.getuid()))
    for number in range(MOST):
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        except BlockingIOError:
            return number
    return MOST


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become an account that has no processes")
def test_an_account_that_is_not_root_starts_only_so_many() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, str(started_by_nobody()).encode())
        finally:
            os.killpg(0, 9)
    os.close(writing)
    with os.fdopen(reading) as file:
        told = file.read()
    os.waitpid(child, 0)

    # a machine with much to do may refuse one more
    assert LIMIT - 2 <= int(told) <= LIMIT
