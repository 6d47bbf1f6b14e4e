"""What handlers did, written by the handlers themselves to a file a process, which survives even a kill -9."""

import mmap
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Handlers run, and the host's monotonic clock (shared by all processes) at the first and the last, in nanoseconds.
LAYOUT = struct.Struct("qqq")


class Counter:
    def __init__(self, folder: Path) -> None:
        self.path = folder / str(os.getpid())
        self.path.write_bytes(bytes(LAYOUT.size))
        with self.path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), LAYOUT.size)
        self.lock = threading.Lock()
        self.runs = self.first = 0

    def add(self) -> None:
        now = time.monotonic_ns()
        with self.lock:
            self.first = self.first or now
            self.runs += 1
            LAYOUT.pack_into(self.map, 0, self.runs, self.first, now)


_counters: dict[int, Counter] = {}
_making = threading.Lock()


def count() -> None:
    """Call it in the handler."""
    counter = _counters.get(os.getpid())
    if counter is None:
        with _making:
            if os.getpid() not in _counters:
                _counters[os.getpid()] = Counter(Path(os.environ["BENCH_COUNTS"]))
        counter = _counters[os.getpid()]
    counter.add()


class Counted(NamedTuple):
    runs: int
    first_ns: int
    last_ns: int


def read(folder: Path) -> Counted:
    """Over all processes."""
    found = [one for one in rows(folder) if one.runs]
    if not found:
        return Counted(0, 0, 0)
    return Counted(
        sum(one.runs for one in found), min(one.first_ns for one in found), max(one.last_ns for one in found)
    )


def rows(folder: Path) -> Iterator[Counted]:
    for path in folder.iterdir():
        data = path.read_bytes()
        if len(data) == LAYOUT.size:
            yield Counted(*LAYOUT.unpack(data))
