"""Procrastinate: PostgreSQL, asyncio. Jobs are kept; every status change is an event row."""

import asyncio
import os

from procrastinate import App, PsycopgConnector

from bench.peers.cli import Peer, main
from bench.peers.counter import count

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(queue="bench", name="noop")
async def noop(number: int) -> None:
    count(number)


# Without its triggers, which would write events and notify of each row.
FILL = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)
SELECT 'other', 'noop', '{"number": -1}',
       CASE WHEN number <= %(waiting)s THEN 'todo' ELSE 'succeeded' END::procrastinate_job_status
FROM generate_series(1, %(waiting)s + %(finished)s) AS number
"""


class Procrastinate(Peer):
    options = ("1", "30", "100")
    tuning = "concurrency"
    done_sql = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded' AND queue_name = 'bench'"
    left_sql = "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND queue_name = 'bench'"
    fill_sql = (
        "ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER",
        FILL,
        "ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER",
    )

    def setup(self) -> None:
        with app.open():
            app.schema_manager.apply_schema()

    def open(self) -> None:
        app.open()

    def enqueue(self, number: int) -> None:
        noop.defer(number=number)

    def enqueue_bulk(self, number: int) -> None:
        noop.batch_defer(*({"number": -1} for _ in range(number)))

    def work(self, option: str) -> None:
        async def run() -> None:
            async with app.open_async():
                await app.run_worker_async(queues=["bench"], concurrency=int(option), wait=True)

        asyncio.run(run())


main(Procrastinate)
