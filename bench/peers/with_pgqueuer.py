"""PgQueuer: PostgreSQL, asyncio and asyncpg. Done jobs leave the queue for a log table."""

import os
import signal
from asyncio import get_running_loop

import asyncpg
import uvloop
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from bench.peers.cli import Peer, main
from bench.peers.counter import count

FILL_WAITING = """
INSERT INTO pgqueuer (priority, status, entrypoint, payload, created, updated, heartbeat, execute_after)
SELECT 0, 'queued', 'other', NULL, now(), now(), now(), now() FROM generate_series(1, %(waiting)s)
"""
FILL_FINISHED = """
INSERT INTO pgqueuer_log (job_id, status, priority, entrypoint, created)
SELECT number, 'successful', 0, 'other', now() FROM generate_series(1, %(finished)s) AS number
"""


class Pgqueuer(Peer):
    options = ("10", "100", "500")
    tuning = "batch size; uvloop, as its own command line uses"
    done_sql = "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful' AND entrypoint = 'noop'"
    left_sql = "SELECT count(*) FROM pgqueuer WHERE entrypoint = 'noop'"
    fill_sql = (FILL_WAITING, FILL_FINISHED)

    def setup(self) -> None:
        async def install() -> None:
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            await Queries(AsyncpgDriver(connection)).install()
            await connection.close()

        uvloop.run(install())

    def open(self) -> None:
        self.loop = uvloop.new_event_loop()
        connection = self.loop.run_until_complete(asyncpg.connect(os.environ["DATABASE_URL"]))
        self.queries = Queries(AsyncpgDriver(connection))

    def enqueue(self, number: int) -> None:
        self.loop.run_until_complete(self.queries.enqueue("noop", str(number).encode()))

    def enqueue_bulk(self, number: int) -> None:
        rows = ["noop"] * number, [b"-1"] * number, [0] * number
        self.loop.run_until_complete(self.queries.enqueue(*rows))

    def work(self, option: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            queue = PgQueuer(AsyncpgDriver(connection))

            @queue.entrypoint("noop")
            async def noop(job: Job) -> None:
                count(int(job.payload or b"-1"))

            get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
            await queue.run(batch_size=int(option))

        uvloop.run(run())


main(Pgqueuer)
