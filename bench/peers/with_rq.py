"""RQ on Redis, its SimpleWorker, which does not fork for each job."""

import os

import redis
from rq import Queue, SimpleWorker

from bench.peers.cli import Peer, main


class Rq(Peer):
    def __init__(self) -> None:
        self.redis = redis.Redis.from_url(os.environ["REDIS_URL"])
        self.queue = Queue("bench", connection=self.redis)

    def setup(self) -> None:
        self.redis.flushdb()

    def enqueue(self) -> None:
        self.queue.enqueue("bench.peers.counter.count", result_ttl=0)

    def enqueue_bulk(self, number: int) -> None:
        data = Queue.prepare_data("bench.peers.counter.count", result_ttl=0)
        self.queue.enqueue_many([data] * number)

    def work(self, option: int) -> None:
        SimpleWorker([self.queue], connection=self.redis).work(logging_level="ERROR")


main(Rq)
