"""Celery on Redis, acknowledged before the run as by default, no results."""

import os

import redis
from celery import Celery

from bench.peers.cli import Peer, main
from bench.peers.counter import count

url = os.environ["REDIS_URL"]
app = Celery("bench", broker=url.replace("unix://", "redis+socket://"))
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(number: int) -> None:
    count(number)


class CeleryPeer(Peer):
    options = ("solo", "threads-10", "prefork-1")
    tuning = "pool and its size; prefetch 64 a slot, no gossip, no mingle"

    def setup(self) -> None:
        redis.Redis.from_url(url).flushdb()

    def enqueue(self, number: int) -> None:
        noop.delay(number)

    def enqueue_bulk(self, number: int) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for _ in range(number):
                noop.apply_async((-1,), producer=producer)

    def work(self, option: str) -> None:
        pool, _, size = option.partition("-")
        quick = ["--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
        app.worker_main(
            ["worker", "--pool", pool, "--concurrency", size or "1", "--hostname", f"{os.getpid()}@", *quick]
        )


main(CeleryPeer)
