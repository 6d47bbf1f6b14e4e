"""Where SmartQueue is and who calls: the environment, else what `sq login` has kept in a file of the user's own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smartqueue_client.bearer import Bearer, Renew, Session

SIGN_IN = "sign in with `sq login`, or set SMARTQUEUE_URL and SMARTQUEUE_KEY"


class NotConfigured(Exception):
    """Nobody has said where it is, or who calls."""


def path() -> Path:
    """SMARTQUEUE_CONFIG, else below the folder that XDG has for it."""
    named = os.environ.get("SMARTQUEUE_CONFIG")
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(named or f"{folder}/smartqueue/config.json").expanduser()


def kept() -> dict[str, Any]:
    """What the file says. Raises NotConfigured for one that others may read."""
    try:
        with path().open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise NotConfigured(f"others can read {path()}, which holds a secret: chmod 600 it")
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise NotConfigured(f"{path()} is no JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def keep(said: dict[str, Any]) -> None:
    """Write the file anew: for its owner only, and whole or not at all."""
    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path().with_name(f".{path().name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(said, file)
        fresh.replace(path())
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def forget() -> None:
    path().unlink(missing_ok=True)


@contextlib.contextmanager
def turn() -> Iterator[None]:
    """One process at a time: a refresh token is good once, and ends all of them when it comes twice."""
    path().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path().with_name(f"{path().name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class KeptSession(Session):
    """A login of the file, renewed there."""

    def renewed(self, refused: str, renew: Renew) -> bool:
        with turn():
            said = kept()
            if said.get("access") in (None, refused):
                said.update(renew(said.get("refresh") or self.refresh))
                keep(said)
            self.token, self.refresh = said["access"], said["refresh"]
        return True


def address(asked: str = "") -> str:
    """Raises NotConfigured."""
    found = asked or os.environ.get("SMARTQUEUE_URL") or kept().get("url")
    if not found:
        raise NotConfigured(f"where is SmartQueue? {SIGN_IN}")
    return str(found).rstrip("/")


def bearer(url: str) -> Bearer:
    """Who calls that address. What was kept for another one is not sent there. Raises NotConfigured."""
    named = os.environ.get("SMARTQUEUE_KEY") or os.environ.get("SMARTQUEUE_TOKEN")
    if named:
        return Bearer(named)
    said = kept()
    if said.get("url") == url and said.get("key"):
        return Bearer(said["key"])
    if said.get("url") == url and said.get("refresh"):
        return KeptSession(said["access"], said["refresh"])
    raise NotConfigured(f"who are you at {url}? {SIGN_IN}")


def org(asked: str = "") -> str:
    """The slug to act in; nothing for the one that was switched to."""
    return asked or os.environ.get("SMARTQUEUE_ORG") or str(kept().get("org") or "")
