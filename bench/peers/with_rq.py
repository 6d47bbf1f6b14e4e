"""RQ on Redis, its SimpleWorker, which does not fork for each job."""

import os

import redis
from rq import Queue, SimpleWorker

from bench.peers.cli import Peer, main

HANDLER = "bench.peers.counter.count"


class Rq(Peer):
    tuning = "SimpleWorker: no fork a job; no result kept"

    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.queue = Queue("bench", connection=self.redis)

    def setup(self) -> None:
        self.redis.flushdb()

    def enqueue(self, number: int) -> None:
        self.queue.enqueue(HANDLER, number, result_ttl=0)

    def enqueue_bulk(self, number: int) -> None:
        self.queue.enqueue_many([Queue.prepare_data(HANDLER, (-1,), result_ttl=0) for _ in range(number)])

    def work(self, option: str) -> None:
        SimpleWorker([self.queue], connection=self.redis).work(logging_level="ERROR")


main(Rq)
