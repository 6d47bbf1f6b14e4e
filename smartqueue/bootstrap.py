"""From a bare Python to a running command: the virtual environment and what must be in it. Standard library only.

    python3 smartqueue/bootstrap.py run manage.py up      with requirements.txt
    python3 smartqueue/bootstrap.py dev -m pytest         with requirements-dev.txt too

Makes the environment, installs what the lock files say, with their hashes, and becomes the venv's Python running the
rest of the line. What is already installed is known by a stamp and costs nothing.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
RUN = ["requirements.txt", "requirements-ml.txt"]
EXTRAS = ["requirements-s3.txt", "requirements-kafka.txt", "requirements-otel.txt"]
LOCKS = {"run": RUN, "dev": [*RUN, *EXTRAS, "requirements-dev.txt", "requirements-docs.txt"]}
OLDEST = (3, 11)


class BootstrapError(RuntimeError):
    """The environment cannot be made; the message says what to do."""


def main(words: list[str]) -> None:
    begun = time.time()
    os.environ.setdefault("SMARTQUEUE_BEGUN_AT", str(begun))
    purpose, command = words[0], words[1:]
    if sys.version_info < OLDEST:
        raise BootstrapError(f"Python {sys.version.split()[0]} is too old: SmartQueue needs 3.11 or newer")
    venv = venv_folder()
    python = venv / "bin" / "python"
    if not python.exists():
        shutil.rmtree(venv, ignore_errors=True)
        step("virtual environment", lambda: make_venv(venv))
    stamp = venv / f".installed-{purpose}"
    wanted = lock_hash(purpose)
    if not stamp.exists() or stamp.read_text() != wanted:
        step(f"packages ({purpose})", lambda: install(venv, purpose))
        stamp.write_text(wanted)
        if purpose == "dev":
            (venv / ".installed-run").write_text(lock_hash("run"))
    os.chdir(BASE_DIR)
    os.execv(python, [str(python), *command])  # noqa: S606 the venv's own Python


def venv_folder() -> Path:
    """`.venv` in the checkout; below the user's cache where the checkout cannot be written."""
    named = os.environ.get("SMARTQUEUE_VENV")
    if named:
        return Path(named).expanduser().absolute()
    if (BASE_DIR / ".venv" / "bin" / "python").exists() or os.access(BASE_DIR, os.W_OK):
        return BASE_DIR / ".venv"
    name = hashlib.sha256(os.fsencode(BASE_DIR)).hexdigest()[:12]
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME", "/nonexistent"), ".cache")
    if not os.access(Path(home).parent, os.W_OK):
        home = f"/var/tmp/smartqueue-{os.geteuid()}"  # noqa: S108 a folder of our own name and user
    return Path(home, "smartqueue", f"venv-{name}")


def lock_hash(purpose: str) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for name in LOCKS[purpose]:
        digest.update((BASE_DIR / name).read_bytes())
    return digest.hexdigest()


def make_venv(venv: Path) -> None:
    venv.parent.mkdir(parents=True, exist_ok=True)
    uv = shutil.which("uv")
    if uv:
        run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    elif importlib.util.find_spec("ensurepip"):
        run([sys.executable, "-m", "venv", str(venv)])
    else:
        raise BootstrapError(
            "this Python cannot make virtual environments. Debian and Ubuntu: apt-get install python3-venv"
        )


def install(venv: Path, purpose: str) -> None:
    """With uv when it is there or can be had; else with pip, which only takes longer."""
    files = [word for name in LOCKS[purpose] for word in ("-r", str(BASE_DIR / name))]
    python = str(venv / "bin" / "python")
    uv = find_uv(venv)
    if uv:
        # Compiled here on all cores, as pip does: else the first processes would each compile the same modules.
        run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes", "--python", python, *files])
    else:
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", *files])


def find_uv(venv: Path) -> str | None:
    """uv on the PATH, or put into the venv; SMARTQUEUE_PIP=1 keeps to pip."""
    if os.environ.get("SMARTQUEUE_PIP") == "1":
        return None
    found = shutil.which("uv")
    if found:
        return found
    own = venv / "bin" / "uv"
    if not own.exists() and (venv / "bin" / "pip").exists():
        command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"]
        subprocess.run(command, capture_output=True, check=False)
    return str(own) if own.exists() else None


def run(command: list[str]) -> None:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise BootstrapError(f"failed: {' '.join(command)}")


def step(what: str, work: object) -> None:
    begun = time.monotonic()
    assert callable(work)
    work()
    print(f"  {what:<34} {time.monotonic() - begun:5.1f} s", flush=True)  # noqa: T201 the one face it has


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BootstrapError as error:
        sys.exit(f"SmartQueue: {error}")
