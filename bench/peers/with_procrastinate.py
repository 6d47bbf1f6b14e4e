"""Procrastinate: PostgreSQL, asyncio. Jobs are kept; every status change is an event row."""

import asyncio
import os

from procrastinate import App, PsycopgConnector

from bench.peers.cli import Peer, main
from bench.peers.counter import count

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(queue="bench", name="noop")
async def noop() -> None:
    count()


class Procrastinate(Peer):
    done_sql = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
    options = (1, 30, 100)

    def setup(self) -> None:
        with app.open():
            app.schema_manager.apply_schema()

    def open(self) -> None:
        app.open()

    def enqueue(self) -> None:
        noop.defer()

    def enqueue_bulk(self, number: int) -> None:
        noop.batch_defer(*({} for _ in range(number)))

    def work(self, option: int) -> None:
        async def run() -> None:
            async with app.open_async():
                await app.run_worker_async(queues=["bench"], concurrency=option, wait=True)

        asyncio.run(run())


main(Procrastinate)
