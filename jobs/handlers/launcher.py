"""Runs one shell job's program where there is no sandbox, and sees to it that nothing of it is left behind.

A script of its own, started by sandbox.py as `python -I -S launcher.py <fd of the order>`. It is the subreaper of the
program: whatever the program starts and abandons, by setsid or a double fork, comes back as its child and is killed
at the end. The end is the program's exit, SIGTERM from the worker, or the worker's death.
"""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
AWAITED = {signal.SIGTERM, signal.SIGCHLD}
CANNOT_EXECUTE = 126
KILL_ROUNDS = 500


def main(order: dict[str, Any]) -> int:
    """Returns the program's exit code, 128 + n when signal n killed it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != order["parent"]:
        return CANNOT_EXECUTE
    work = tempfile.mkdtemp(prefix="smartqueue-job-")
    if order["uid"] is not None:
        os.chown(work, order["uid"], order["uid"])
    try:
        program = os.fork()
        if program == 0:
            become(order, work)
        return follow(program, order["kill_grace_seconds"])
    finally:
        kill_rest()
        shutil.rmtree(work, ignore_errors=True)


def become(order: dict[str, Any], work: str) -> NoReturn:
    """In the child: give up what it must not have, then be the program."""
    try:
        launcher = os.getppid()
        os.setsid()
        os.umask(0o077)
        os.chdir(work)
        if order["uid"] is not None:
            os.setgroups([])
            os.setgid(order["uid"])
            os.setuid(order["uid"])
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        # Forgotten by the kernel when the user changes, so it stands after that.
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:
            os._exit(CANNOT_EXECUTE)
        for name, limit in order["limits"].items():
            lower(getattr(resource, name), limit)
        # The kernel counts all processes of the user, not the job's: it may add so many to those there are.
        lower(resource.RLIMIT_NPROC, threads_of(os.getuid()) + order["processes"])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        os.closerange(3, 1024)
        # Bytes: the interpreter was started without a locale.
        env = {name.encode(): value.encode() for name, value in {**order["env"], "HOME": work, "PWD": work}.items()}
        argv = [word.encode() for word in order["argv"]]
        os.execve(argv[0], argv, env)  # noqa: S606 no shell is what we want
    except BaseException as error:
        os.write(2, f"cannot run {order['argv'][0]}: {error}\n".encode())
    os._exit(CANNOT_EXECUTE)


def follow(program: int, grace_seconds: float) -> int:
    """Until the program has ended, or was told to and did not listen."""
    kill_at = float("inf")
    while True:
        received = signal.sigtimedwait(AWAITED, 0.1)
        for pid, status in ended():
            if pid == program:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
        if received and received.si_signo == signal.SIGTERM and kill_at == float("inf"):
            kill_at = time.monotonic() + grace_seconds
            send(signal.SIGTERM)
        if time.monotonic() > kill_at:
            return 128 + signal.SIGKILL


def kill_rest() -> None:
    """Again and again, because a process may fork between the look and the kill."""
    for _ in range(KILL_ROUNDS):
        if not send(signal.SIGKILL):
            return
        time.sleep(0.005)
        ended()


def send(number: int) -> int:
    """Signal all descendants; how many there were."""
    found = descendants()
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return len(found)


def ended() -> list[tuple[int, int]]:
    found = []
    with contextlib.suppress(ChildProcessError):
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            found.append(one)
    return found


def descendants() -> list[int]:
    parents: dict[int, int] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
            # pid (name) state ppid: the name may hold anything, a bracket too.
            parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found - {os.getpid()})


def threads_of(uid: int) -> int:
    count = 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{entry}").st_uid == uid:
                count += len(os.listdir(f"/proc/{entry}/task"))
    return count


def lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as file:
        order = json.load(file)
    sys.exit(main(order))
