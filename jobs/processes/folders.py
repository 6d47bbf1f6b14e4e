"""The folder of an attempt that works with files: made for it, gone with it, whatever becomes of its worker.

A lock on it (flock(2)) lives as long as its worker holds it. A worker that was killed leaves its folders without one,
and the next that starts on the host clears them away.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from jobs.handlers.base import Context, Handler

log = logging.getLogger(__name__)


@contextlib.contextmanager
def own_folder(handler: Handler, context: Context) -> Iterator[None]:
    """For types that want one."""
    if not handler.works_with_files(context.payload):
        yield
        return
    with held(Path(settings.WORK_ROOT), f"{context.job_id}-") as folder:
        context.folder = folder
        yield


@contextlib.contextmanager
def held(root: Path, prefix: str) -> Iterator[Path]:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder, lock = made(root, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def made(root: Path, prefix: str) -> tuple[Path, int]:
    """A new folder and its lock; once more when a sweep was quicker than the lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


def sweep() -> int:
    """Clear away the folders that nobody holds; returns how many there were."""
    swept = 0
    with contextlib.suppress(FileNotFoundError):
        for folder in Path(settings.WORK_ROOT).iterdir():
            if is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)
                swept += 1
    if swept:
        log.info("cleared away folders of attempts whose workers are gone", extra={"folders": swept})
    return swept


def is_left(folder: Path) -> bool:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
