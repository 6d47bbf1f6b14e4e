"""Forks the processes in which isolated attempts run. children.py starts it as `manage.py forkserver FD`.

It has loaded Django and the tasks, and has neither threads nor connections: a fork of it is quick and safe, which one
of the worker would not be. An attempt has two processes: a minder, and its child, which runs the handler. The minder
is the subreaper of all that the child starts (prctl(2), PR_SET_CHILD_SUBREAPER): what leaves by setsid or a double
fork comes back to it, and is killed when the child has ended, or is to end. Whoever dies, those below die with him.
"""

import contextlib
import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
import time
import traceback
from typing import NoReturn

import psutil
from django.db import connections

from jobs.handlers import python_task, registry
from jobs.handlers.launcher import AWAITED, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, ended, kill_rest, prctl
from jobs.processes.child import perform
from jobs.processes.wire import line

# What comes with each attempt: the child's talk with the worker, the minder's, and the child's outputs.
DESCRIPTORS = 4
LOOK_SECONDS = 1.0


def main(control: socket.socket, *, confined: str) -> None:
    """Until the worker is gone."""
    if confined:
        registry.get(confined).preload()
    else:
        # A module that cannot be imported has been told of by the worker.
        python_task.load()
        # a module may have asked the database something; a connection is of one process
        connections.close_all()
    logs_stay_here()
    gc.collect()
    gc.freeze()
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    control.settimeout(LOOK_SECONDS)
    minders: set[int] = set()
    look_at = 0.0
    with contextlib.suppress(ConnectionError, EOFError):
        while True:
            with contextlib.suppress(TimeoutError):
                minders.add(forked(control, received(control)))
            minders -= {pid for pid, _ in ended()}
            if time.monotonic() > look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                kill_strays(minders)
    kill_rest()


def received(control: socket.socket) -> list[int]:
    """What belongs to the next attempt. Raises EOFError when the worker is gone, TimeoutError when nothing comes."""
    word, descriptors, _, _ = socket.recv_fds(control, 1, DESCRIPTORS)
    if not word:
        raise EOFError
    return descriptors


def forked(control: socket.socket, descriptors: list[int]) -> int:
    server, minder = os.getpid(), os.fork()
    if minder == 0:
        try:
            control.close()
            mind(server, *descriptors)
        except BaseException:
            logging.getLogger(__name__).exception("minding an attempt failed")
        os._exit(1)
    for descriptor in descriptors:
        os.close(descriptor)
    return minder


def kill_strays(minders: set[int]) -> None:
    """What was left behind by a minder that was killed itself."""
    for process in psutil.Process().children():
        if process.pid not in minders:
            with contextlib.suppress(psutil.Error):
                process.kill()


def logs_stay_here() -> None:
    """Log lines go where the worker's go; file 2 will be what the job writes."""
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)


# --- the minder -----------------------------------------------------------------------------------------------------


def mind(server: int, talk: int, watch: int, stdout: int, stderr: int) -> NoReturn:
    """Start the child, see to its end and that nothing is left of it, and say how it ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != server:
        os._exit(1)
    minder, child = os.getpid(), os.fork()
    if child == 0:
        os.close(watch)
        be_child(minder, talk, stdout, stderr)
    for descriptor in (talk, stdout, stderr):
        os.close(descriptor)
    with socket.socket(fileno=watch) as worker, contextlib.suppress(OSError):
        worker.sendall(line({"minder": minder}))
        code = until_end(child)
        kill_rest()
        worker.sendall(line({"exit": code}))
    kill_rest()
    os._exit(0)


def until_end(child: int) -> int:
    """The child's exit code, negative for a signal. SIGTERM: the worker wants it gone, or is gone."""
    while True:
        received = signal.sigwaitinfo(AWAITED)
        for pid, status in ended():
            if pid == child:
                return os.waitstatus_to_exitcode(status)
        if received.si_signo == signal.SIGTERM:
            return -signal.SIGKILL


# --- the child ------------------------------------------------------------------------------------------------------


def be_child(minder: int, talk: int, stdout: int, stderr: int) -> NoReturn:
    code = 1
    try:
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != minder:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
        faulthandler.enable()
        # what was printed before a crash is in the log too
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        perform(socket.socket(fileno=talk))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        # no exit handlers: they are the server's
        os._exit(code)
