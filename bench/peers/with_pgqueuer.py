"""PgQueuer: PostgreSQL, asyncio and asyncpg. Done jobs leave the queue for a log table."""

import asyncio
import os
import signal

import asyncpg
from pgqueuer import AsyncpgDriver, Job, PgQueuer, Queries

from bench.peers.cli import Peer, main
from bench.peers.counter import count


class Pgqueuer(Peer):
    done_sql = "SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'"
    # its batch size
    options = (10, 100, 500)

    def setup(self) -> None:
        async def install() -> None:
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            await Queries(AsyncpgDriver(connection)).install()
            await connection.close()

        asyncio.run(install())

    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        connection = self.loop.run_until_complete(asyncpg.connect(os.environ["DATABASE_URL"]))
        self.queries = Queries(AsyncpgDriver(connection))

    def enqueue(self) -> None:
        self.loop.run_until_complete(self.queries.enqueue("noop", None))

    def enqueue_bulk(self, number: int) -> None:
        self.loop.run_until_complete(self.queries.enqueue(["noop"] * number, [None] * number, [0] * number))

    def work(self, option: int) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            queue = PgQueuer(AsyncpgDriver(connection))

            @queue.entrypoint("noop")
            async def noop(job: Job) -> None:
                count()

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
            await queue.run(batch_size=option)

        asyncio.run(run())


main(Pgqueuer)
