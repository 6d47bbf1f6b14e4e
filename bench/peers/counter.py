"""What handlers did, written by the handlers themselves into mapped files, which survive even a kill -9.

A file a process counts its runs; the file `starts` has a place for each numbered job, with the moment it was begun.
All moments are of the host's monotonic clock, which all processes share, in nanoseconds.
"""

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Handlers run, and the moments of the first and of the last.
LAYOUT = struct.Struct("qqq")
MOMENT = struct.Struct("q")
# As many jobs as may be numbered in one measure.
PLACES = 100_000


class Counter:
    def __init__(self, folder: Path) -> None:
        self.map = mapped(folder / f"runs-{os.getpid()}", LAYOUT.size)
        self.starts = mapped(folder / "starts", MOMENT.size * PLACES)
        self.lock = threading.Lock()
        self.runs = self.first = 0

    def add(self, number: int) -> None:
        now = time.monotonic_ns()
        with self.lock:
            self.first = self.first or now
            self.runs += 1
            LAYOUT.pack_into(self.map, 0, self.runs, self.first, now)
        if number >= 0:
            MOMENT.pack_into(self.starts, number * MOMENT.size, now)


_counters: dict[int, Counter] = {}
_making = threading.Lock()


def count(number: int = -1) -> None:
    """Call it in the handler; with the number of the job, where its own start is wanted."""
    counter = _counters.get(os.getpid())
    if counter is None:
        with _making:
            if os.getpid() not in _counters:
                _counters[os.getpid()] = Counter(folder())
        counter = _counters[os.getpid()]
    counter.add(number)


def folder() -> Path:
    return Path(os.environ["BENCH_COUNTS"])


def mapped(path: Path, size: int) -> mmap.mmap:
    """The file as memory; made, full of zeros, where there is none."""
    with path.open("ab") as file:
        if file.tell() < size:
            file.truncate(size)
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), size)


class Starts:
    """When the handlers of the numbered jobs began; 0 where one has not."""

    def __init__(self) -> None:
        self.map = mapped(folder() / "starts", MOMENT.size * PLACES)

    def clear(self) -> None:
        self.map[:] = bytes(len(self.map))

    def of(self, number: int) -> int:
        return int(MOMENT.unpack_from(self.map, number * MOMENT.size)[0])

    def wait_for(self, number: int, seconds: float) -> int:
        end = time.monotonic() + seconds
        while not (moment := self.of(number)):
            if time.monotonic() > end:
                raise TimeoutError(f"job {number} was not run within {seconds:g} s")
            time.sleep(0.001)
        return moment


class Counted(NamedTuple):
    processes: int
    runs: int
    first_ns: int
    last_ns: int


def read(folder: Path) -> Counted:
    """Over all processes that ran something."""
    found = [one for one in rows(folder) if one[0]]
    if not found:
        return Counted(0, 0, 0, 0)
    runs, firsts, lasts = zip(*found, strict=True)
    return Counted(len(found), sum(runs), min(firsts), max(lasts))


def rows(folder: Path) -> Iterator[tuple[int, int, int]]:
    for path in folder.glob("runs-*"):
        data = path.read_bytes()
        if len(data) == LAYOUT.size:
            yield LAYOUT.unpack(data)


def forget(folder: Path) -> None:
    """While no worker runs."""
    for path in folder.glob("runs-*"):
        path.unlink()
