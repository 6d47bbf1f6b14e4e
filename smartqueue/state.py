"""The state folder, outside the checkout: database, logs, secrets. Standard library only: the bootstrap needs it."""

import contextlib
import fcntl
import json
import os
import pwd
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

_not_kept: dict[str, str] = {}


class StateError(RuntimeError):
    """The state folder cannot be used; the message says what to do."""


def state_dir() -> Path:
    """SMARTQUEUE_STATE_DIR, or the system's place for such things, or a folder under the temporary one."""
    named = os.environ.get("SMARTQUEUE_STATE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        folder = Path("/var/lib/smartqueue")
    elif os.environ.get("XDG_STATE_HOME"):
        folder = Path(os.environ["XDG_STATE_HOME"], "smartqueue").absolute()
    else:
        # A service account has no HOME, or one that does not exist: neither is a reason not to start.
        folder = Path(os.environ.get("HOME") or "/nonexistent", ".local", "state", "smartqueue")
    return folder if writable(folder) else Path(tempfile.gettempdir(), f"smartqueue-{os.geteuid()}")


def probe_dir() -> Path:
    """Where the processes of this host mark that they live: SMARTQUEUE_PROBE_DIR, or in the state folder."""
    return Path(os.environ.get("SMARTQUEUE_PROBE_DIR") or state_dir() / "probe")


def writable(path: Path) -> bool:
    """Whether `path` can be written, or made if it is not there."""
    while not path.exists():
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def prepare(folder: Path) -> None:
    """Make the state folder. Raises StateError when it is not ours to use."""
    try:
        # As root PostgreSQL runs as another user, who must pass through; nothing in here is readable to others.
        # Only a new or empty folder gets this: we open nothing that already holds someone's files.
        if not folder.exists() or (folder.stat().st_uid == os.geteuid() and not any(folder.iterdir())):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise StateError(
            f"cannot make {folder}: {error.strerror}. Set SMARTQUEUE_STATE_DIR to another folder."
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateError(
            f"{folder} belongs to {owner(folder)} and cannot be written by this user. Run as {owner(folder)},"
            " or set SMARTQUEUE_STATE_DIR to another folder."
        )
    if folder.parent == Path(tempfile.gettempdir()) and folder.stat().st_uid != os.geteuid():
        raise StateError(f"{folder} was made by {owner(folder)}: set SMARTQUEUE_STATE_DIR to another folder.")


def owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def secret(name: str, folder: Path | None = None) -> str:
    """The secret of this name, made on first use and kept. Where nothing can be written it lasts as long as we do."""
    folder = folder or state_dir()
    try:
        known = read_secrets(folder)
        if name not in known:
            prepare(folder)
            with locked(folder / "secrets.lock"):
                known = read_secrets(folder)
                if name not in known:
                    known[name] = secrets.token_urlsafe(48)
                    write_private(folder / "secrets.json", json.dumps(known, indent=2))
        return known[name]
    except (OSError, StateError):
        return _not_kept.setdefault(name, secrets.token_urlsafe(48))


def read_secrets(folder: Path) -> dict[str, str]:
    try:
        text = (folder / "secrets.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        known: dict[str, str] = json.loads(text)
    except ValueError as error:
        raise RuntimeError(f"{folder / 'secrets.json'} is damaged: restore it, or `make reset`") from error
    return known


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable to us alone: a crash leaves the old or the new, never half."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock that ends with this process. Raises BlockingIOError when taken and not waiting."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
