"""Where a measure of SmartQueue alone is played: the server, a store, processes, and Django in this process on it."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
import psycopg
from django.db import connection

from bench import cluster, sizes, workers
from bench.peers import counter
from bench.runner import Runner
from smartqueue.embedded import Server

QUEUE = "bench"
# A number that no queue here has.
ENDLESS = sys.maxsize
STATE_OF_QUEUE = """SELECT (SELECT count(*) FROM jobs_ready WHERE queue = 'bench')
                         + (SELECT count(*) FROM jobs_lease WHERE queue = 'bench')"""


class Stage(Runner):
    def __init__(self, server: Server) -> None:
        super().__init__("smartqueue", server)
        # from here on this process and all that it starts work on the store that is measured
        os.environ |= self.environ
        django.setup()
        self.prepare()

    def fresh(self) -> None:
        connection.close()
        super().fresh()

    def number(self, query: str) -> int:
        ((value,),) = cluster.execute(query, database=self.database)
        return int(str(value))

    @contextmanager
    def manage(self, *words: str, **environ: str) -> Iterator[list[int]]:
        """manage.py commands while the block lasts; their process ids."""
        command = [sys.executable, "manage.py", *words]
        with workers.running([command], {**self.environ, **environ}, self.log) as started:
            yield [process.pid for process in started]

    def worker(self) -> Any:
        return self.workers(1, str(sizes.SLOTS))

    def probe(self, jobs: int = 2_000) -> float:
        """Roughly how many jobs a second one worker runs, to size what follows."""
        self.fresh()
        return self.drain(jobs, 1, str(sizes.SLOTS)).drained

    def steady_rate(self, seconds: float = sizes.STEADY_SECONDS) -> float:
        """Jobs a second of one worker in the midst of its work, which the store confirms afterwards."""
        before = self.done()
        counter.forget(self.folder)
        with self.worker():
            self.all_running(1, ENDLESS)
            time.sleep(min(1.0, seconds / 5))
            rate = self.rate_over(seconds)
        runs, done = counter.read(self.folder).runs, self.done()
        if done is None or before is None or done - before != runs:
            raise AssertionError(f"{runs} runs, but {done} done after {before}")
        return rate

    def rate_over(self, seconds: float) -> float:
        runs, begun = counter.read(self.folder).runs, time.monotonic()
        time.sleep(seconds)
        return (counter.read(self.folder).runs - runs) / (time.monotonic() - begun)

    def wait_until(self, query: str, value: int, what: str) -> float:
        """The moment at which a query first answers so."""
        with psycopg.connect(self.environ["DATABASE_URL"], autocommit=True) as session:
            for _ in self.patiently(what):
                asked = time.monotonic()
                if session.execute(query.encode()).fetchone() == (value,):
                    return asked
        raise AssertionError

    @property
    def state_folder(self) -> Path:
        return self.server.state


def middle(measure: Callable[[], float]) -> float:
    """The median of TIMES."""
    return statistics.median(measure() for _ in range(sizes.TIMES))
