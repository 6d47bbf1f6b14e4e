"""Where a shell job's program runs: in a bubblewrap sandbox, or without one under launcher.py."""

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

log = logging.getLogger(__name__)

NOBODY = 65534
LAUNCHER = Path(__file__).with_name("launcher.py")
PRLIMIT = "/usr/bin/prlimit"
# A worker that is killed must take its programs with it. bubblewrap's --die-with-parent does so once it is all set up,
# but misses a parent that died earlier. So, inside, nothing begins before the worker has answered that it is there.
READY = b"\n"
GATE = ("/bin/sh", "-c", 'echo && read -r go && exec "$@"', "gate")
# Shown inside as they are outside: links stay links.
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# Without these some programs do not start; they name no user and no secret.
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/alternatives")
WORK = "/work"
PROBE_SECONDS = 10


class SandboxMissing(Exception):
    """This worker has no sandbox, and its settings require one."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program on its way to run. Both ways of running it take the same order."""

    argv: Sequence[str]
    env: Mapping[str, str]

    def start(self) -> "Running":
        """Raises SandboxMissing, OSError."""
        sandboxed = use_sandbox()
        command, order = bubblewrap(self) if sandboxed else launched(self)
        try:
            process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={},
                cwd="/",
                pass_fds=[order],
                start_new_session=True,
                # The launcher changes user itself, so that its program cannot kill it.
                **(as_nobody() if sandboxed else {}),
            )
        finally:
            os.close(order)
        return Running(process, sandboxed)


@dataclass(frozen=True, slots=True)
class Running:
    process: "subprocess.Popen[bytes]"
    sandboxed: bool

    def terminate(self) -> None:
        """Ask the program and all it started to end."""
        if self.sandboxed:
            # Not bubblewrap itself: its end is the end of all, without warning.
            for inner in self.children():
                with contextlib.suppress(psutil.Error):
                    inner.terminate()
        elif self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        """End all of it now. A launcher does that by itself; this is for one that is stuck."""
        if self.process.poll() is not None:
            return
        for inner in [] if self.sandboxed else self.children():
            with contextlib.suppress(psutil.Error):
                inner.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.Error:
            return []


def use_sandbox() -> bool:
    """Raises SandboxMissing where one is required and there is none."""
    if settings.SHELL_SANDBOX == "off":
        return False
    if why_not := sandbox_fault():
        if settings.SHELL_SANDBOX == "required":
            raise SandboxMissing(f"Shell jobs are refused on this worker: {why_not}")
        return False
    return True


@cache
def sandbox_fault() -> str:
    """Why bubblewrap does not work here, or nothing; found out by running it once."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "bubblewrap (bwrap) is not installed."
    if not os.access(PRLIMIT, os.X_OK):
        return f"{PRLIMIT} (util-linux) is not installed."
    command, order = bubblewrap(Program(["/usr/bin/env"], {}))
    try:
        trial = subprocess.run(
            command,
            input=READY,
            capture_output=True,
            env={},
            cwd="/",
            pass_fds=[order],
            timeout=PROBE_SECONDS,
            **as_nobody(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"bubblewrap does not run here: {error}"
    finally:
        os.close(order)
    if trial.returncode:
        return f"bubblewrap does not work here: {trial.stderr.decode(errors='replace').strip()[:300]}"
    return ""


def announce() -> None:
    """Say in the worker's log how shell jobs will run."""
    if settings.SHELL_SANDBOX == "off":
        log.warning("SHELL JOBS RUN WITHOUT A SANDBOX: SMARTQUEUE_SHELL_SANDBOX is off")
    elif why_not := sandbox_fault():
        consequence = "ARE REFUSED" if settings.SHELL_SANDBOX == "required" else "RUN WITHOUT A SANDBOX"
        log.warning("SHELL JOBS %s: %s", consequence, why_not)


def as_nobody() -> dict[str, Any]:
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


def limits() -> dict[str, int]:
    return {
        "RLIMIT_AS": settings.SHELL_MEMORY_MAX_BYTES,
        "RLIMIT_FSIZE": settings.SHELL_FILE_MAX_BYTES,
        "RLIMIT_NOFILE": settings.SHELL_MAX_OPEN_FILES,
        "RLIMIT_CORE": 0,
    }


def launched(program: Program) -> tuple[list[str], int]:
    """The launcher's command line, and the open file that holds its order."""
    order = {
        "argv": list(program.argv),
        "env": dict(program.env),
        "uid": NOBODY if os.getuid() == 0 else None,
        "limits": limits(),
        "processes": settings.SHELL_MAX_PROCESSES,
        "parent": os.getpid(),
        "kill_grace_seconds": settings.SHELL_KILL_GRACE_SECONDS,
    }
    descriptor = filled(json.dumps(order).encode())
    return [sys.executable, "-I", "-S", "-B", str(LAUNCHER), str(descriptor)], descriptor


def bubblewrap(program: Program) -> tuple[list[str], int]:
    """bubblewrap's command line, and the open file that holds its options: variables show in no process list."""
    options = [
        *("--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY), "--cap-drop", "ALL"),
        *(("--unshare-user", "--disable-userns") if knows("--disable-userns") else ()),
        *("--ro-bind", "/usr", "/usr"),
        *system_folders(),
        *(word for path in SYSTEM_FILES for word in ("--ro-bind-try", path, path)),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(settings.SHELL_FILE_MAX_BYTES), "--tmpfs", "/tmp"),  # noqa: S108 its own
        *("--size", str(settings.SHELL_FILE_MAX_BYTES), "--tmpfs", WORK, "--chdir", WORK),
        *(word for path in shown_paths(program.argv[0]) for word in ("--ro-bind", path, path)),
        *(word for name, value in program.env.items() for word in ("--setenv", name, value)),
        *("--setenv", "HOME", WORK, "--remount-ro", "/"),
    ]
    descriptor = filled(b"".join(option.encode() + b"\0" for option in options))
    words = [f"--{name.removeprefix('RLIMIT_').lower()}={limit}" for name, limit in limits().items()]
    # Inside, so that the processes counted are the job's own.
    inner = [*GATE, PRLIMIT, *words, f"--nproc={settings.SHELL_MAX_PROCESSES}", "--", *program.argv]
    return [shutil.which("bwrap") or "bwrap", "--args", str(descriptor), "--", *inner], descriptor


@cache
def knows(option: str) -> bool:
    """Whether the bubblewrap here is new enough for an option."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return False
    return option in subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout


def system_folders() -> list[str]:
    words: list[str] = []
    for folder in map(Path, SYSTEM):
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            words += ["--ro-bind", str(folder), str(folder)]
    return words


def shown_paths(program: str) -> list[str]:
    """What must be seen besides the system: the operator's folders, and a program that lies elsewhere."""
    paths = [*settings.SHELL_READ_PATHS]
    if not program.startswith(("/usr/", *(f"{folder}/" for folder in SYSTEM))):
        paths.append(program)
    return paths


def filled(content: bytes) -> int:
    """An open file in memory, at its start."""
    descriptor = os.memfd_create("order")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
