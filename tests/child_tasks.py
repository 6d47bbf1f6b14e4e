"""Tasks in processes of their own, and in the transaction of their end, that only tests run."""

import ctypes
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from jobs.handlers.base import Context, PermanentFailure
from jobs.handlers.python_task import task

LITTER = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""


@task(isolated=True)
def whoami() -> dict[str, int]:
    return {"pid": os.getpid(), "session": os.getsid(0)}


@task(isolated=True)
def about_me(context: Context, greeting: str = "hello") -> dict[str, Any]:
    """Use all that a context offers."""
    context.log(f"{greeting} from attempt {context.attempt}")
    context.progress(0.5, "half way" * 1_000)
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"raw\n")
    kept = context.artefact("data.bin", bytes(range(256)) * 4000, "application/octet-stream")
    return {"attempt": context.attempt, "org": context.org, "artefact": kept}


@task(isolated=True)
def say_a_lot(context: Context) -> None:
    """More than a line may be long, and more lines than are kept."""
    context.log("x" * 10_000_000)
    context.log("y\n" * 10_000)
    print("printed before the end")
    raise PermanentFailure("z" * 10_000_000)


@task(isolated=True)
def die(how: str) -> None:
    """End the process in some way."""
    match how:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "abort":
            os.abort()
    raise AssertionError(how)


@task(isolated=True)
def kill_minder() -> None:
    """End the process that minds us."""
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


@task(isolated=True)
def spin() -> None:
    """Compute for ever and listen to nobody."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


@task(isolated=True)
def burn() -> None:
    """Use up the processor time there is."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (1, hard))
    while True:
        pass


@task(isolated=True)
def hog() -> int:
    """Take four gigabytes."""
    return len(bytearray(4_000_000_000))


@task(isolated=True)
def flood(megabytes: int) -> str:
    """Write without end to the standard output."""
    for _ in range(megabytes):
        os.write(1, b"x" * 999_999 + b"\n")
    return "written"


@task(isolated=True)
def fill_file(path: str) -> None:
    """Write a file that is larger than it may be."""
    with Path(path).open("wb") as file:
        file.truncate(1 << 40)


@task(isolated=True)
def litter(path: str, stay: bool) -> None:
    """Start what leaves the session and forks twice, then end or stay."""
    for _ in range(3):
        subprocess.run([sys.executable, "-c", LITTER, path], check=True)
    while stay or len(Path(path).read_text().splitlines()) < 3:
        time.sleep(0.01)


@task(isolated=True)
def bomb(name: str, depth: int) -> None:
    """A crowd that never grows beyond 2 ** depth, deaf, each in a session of its own, and never the same for long."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("/proc/self/comm").write_text(name)
    first = True
    for _ in range(depth):
        if os.fork() == 0:
            first = False
            os.setsid()
    while True:
        time.sleep(0.05)
        if not first:
            # one takes the place of the other
            if os.fork():
                os._exit(0)
            os.setsid()


@task(isolated=True)
def until_stopped(context: Context) -> None:
    """Wait as a good task does: it ends when asked to stop."""
    while not context.wait(60):
        pass
    context.check_stopped()


@task(isolated=True)
def raise_error(permanent: bool) -> None:
    raise (PermanentFailure if permanent else ValueError)("as told")


@task(isolated=True)
def leak(context: Context, value: str) -> None:
    """Tell it everywhere, and raise with it."""
    print(f"printed {value}")
    sys.stderr.write(f"complained {value} {value.encode().hex()}")
    context.log(f"logged {value}\nand {json.dumps(value)}")
    context.progress(0.5, f"at {value}")
    context.artefact(f"named-{value}.txt" if value.isalnum() else "other.txt", b"text", "text/plain")
    try:
        raise RuntimeError(f"first {value}")
    except RuntimeError:
        logging.getLogger(__name__).exception("isolated: %s", value, extra={"value": [value]})
    raise ValueError(f"bad {value}")


@task(isolated=True)
def keys_here() -> list[str]:
    """The deployment's encryption keys, as a child sees them."""
    return [*settings.ENCRYPTION_KEYS, *(name for name in os.environ if "ENCRYPTION" in name)]


@task(isolated=True)
def answer_nonsense() -> float:
    return float("nan")


@task(isolated=True)
def count_users() -> int:
    return get_user_model().objects.count()


@task(isolated=True)
def submit_then_die(context: Context, path: str) -> str:
    """Submit a job; the first attempt dies at once when it has, the second says what it got."""
    child = context.enqueue("python", {"task": "tests.mark", "kwargs": {"path": path}}, queue="default", name="child")
    if context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return child


@task(isolated=True)
def submit_badly(context: Context, options: dict[str, Any]) -> None:
    context.enqueue("python", {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, **options)


@task(isolated=True, files=True)
def copy_upper(context: Context, artefact: str) -> str:
    """Read a file and leave one behind."""
    given = context.copy_artefact(artefact, "in")
    context.path("out").write_bytes(given.path.read_bytes().upper())
    return context.artefact_file(f"upper-{given.name}", context.path("out"), given.content_type)


# --- in the transaction of their end --------------------------------------------------------------------------------


def note(context: Context, path: str) -> None:
    """A row, which a rollback takes back, and a line in a file, which nothing does."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effects (job_id, attempt) VALUES (%s, %s)", [context.job_id, context.attempt])
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{context.job_id} {context.attempt}\n")


@task(transactional=True)
def effect(context: Context, path: str, gate: str = "", seconds: float = 0) -> int:
    """Write to the database, then wait for a file, or for a time in which something may happen."""
    context.log("writing")
    note(context, path)
    while gate and not Path(gate).exists():
        time.sleep(0.01)
    context.wait(seconds)
    return context.attempt


@task(transactional=True)
def effect_then_error(context: Context, path: str) -> None:
    note(context, path)
    raise ValueError("after the effect")


@task(transactional=True)
def submit_then_error(context: Context) -> str:
    """Submit a job; the first attempt fails after that."""
    child = context.enqueue("python", {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, name="child")
    if context.attempt == 1:
        raise ValueError("after the submit")
    return child
