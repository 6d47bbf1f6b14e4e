"""Celery on Redis, acknowledged before the run as by default, no results."""

import os

import redis
from celery import Celery

from bench.peers.cli import Peer, main
from bench.peers.counter import count

app = Celery("bench", broker=os.environ["REDIS_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop() -> None:
    count()


class CeleryPeer(Peer):
    # processes of its pool; 0 is the solo pool
    options = (0, 1)

    def setup(self) -> None:
        redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()

    def enqueue(self) -> None:
        noop.delay()

    def work(self, option: int) -> None:
        pool = ["--pool", "solo"] if option == 0 else ["--pool", "prefork", "--concurrency", str(option)]
        app.worker_main(["worker", *pool, "--loglevel", "ERROR", "--without-gossip", "--without-mingle", "--quiet"])


main(CeleryPeer)
