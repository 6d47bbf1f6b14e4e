"""What is left to the process of a confined attempt: its folder, and code to run. As root and as another user."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SCRIPT = """
import json, os, sys, socket, subprocess, threading, ctypes
from pathlib import Path
import django
django.setup()
from jobs.processes.confine import confine

folder, secret, user = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
parent = os.getppid()
confine(folder)
found = {}

def tried(name, act):
    try:
        found[name] = repr(act())
    except BaseException as error:
        found[name] = type(error).__name__

tried("a secret elsewhere", lambda: Path(secret).read_text())
tried("the users", lambda: Path("/etc/passwd").read_text())
tried("the worker's environment", lambda: Path(f"/proc/{parent}/environ").read_bytes())
tried("what is beside the folder", lambda: os.listdir(folder.parent))
tried("to write beside", lambda: (folder.parent / "beside").write_text("x"))
tried("to link to the secret", lambda: os.link(secret, folder / "link"))
os.symlink(secret, folder / "symlink")
tried("through a symlink", lambda: (folder / "symlink").read_text())
tried("the network", lambda: socket.create_connection(("127.0.0.1", 80), 1))
tried("a unix socket", lambda: socket.socket(socket.AF_UNIX))
tried("a program", lambda: subprocess.run(["/bin/true"]))
tried("to signal the worker", lambda: os.kill(parent, 0) if user else None)
tried("to trace the worker", lambda: 1 / (ctypes.CDLL(None).ptrace(16, parent, 0, 0) + 1))
tried("another root", lambda: os.chroot(folder))
tried("another user", lambda: os.setuid(12345))
tried("the environment", lambda: sorted(set(os.environ) - {"HOME", "TMPDIR", "LANG", "PATH"}))
(folder / "mine").write_text("kept")
tried("its folder", lambda: (folder / "mine").read_text())
tried("a module", lambda: __import__("colorsys").__name__)
thread = threading.Thread(target=lambda: found.update(thread=1)); thread.start(); thread.join()
(folder / "found").write_text(json.dumps(found))
"""
REFUSED = {"PermissionError", "OSError", "ZeroDivisionError"}


def what_is_found(tmp_path: Path, user: int) -> dict[str, Any]:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (tmp_path, secret, folder):
        os.chown(path, user, user)
    # as pytest's own folders would let nobody else pass
    for above in [*tmp_path.parents][:-2]:
        above.chmod(above.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(secret), str(user)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "smartqueue.settings", "MY_PASSWORD": "hunter2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "found").read_text())
    return found


def reachable_by_others() -> bool:
    """Whether another user could load our Python at all."""
    places = [Path(sys.prefix), Path(sys.base_prefix), settings.BASE_DIR]
    return all(above.stat().st_mode & 0o001 for place in places for above in [place, *place.parents])


@pytest.mark.parametrize("user", [0, 2_000_123])
def test_nothing_is_left_but_the_folder(tmp_path: Path, user: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: only root can be two users")
    if user and not reachable_by_others():
        pytest.skip("NOT TESTED: Python lies where another user cannot reach it")

    found = what_is_found(tmp_path, user)

    assert found.pop("its folder") == "'kept'"
    assert found.pop("a module") == "'colorsys'"
    assert found.pop("thread") == 1
    assert found.pop("the environment") in ("[]", "['OPENBLAS_NUM_THREADS']")
    if not user:
        found.pop("to signal the worker")
    assert {name: word for name, word in found.items() if word not in REFUSED} == {}
