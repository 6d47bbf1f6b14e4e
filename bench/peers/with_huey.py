"""Huey on Redis: a job leaves the list before it runs, so a crash loses it; results are kept only on request."""

import os

import redis
from huey import RedisHuey
from huey.consumer import Consumer

from bench.peers.cli import Peer, main
from bench.peers.counter import count

huey = RedisHuey("bench", url=os.environ["REDIS_URL"], results=False)


@huey.task(name="noop")
def noop(number: int) -> None:
    count(number)


class HueyPeer(Peer):
    options = ("1", "4")
    tuning = "threads of its consumer, which wait in a blocking pop"

    def setup(self) -> None:
        redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()

    def enqueue(self, number: int) -> None:
        noop(number)

    def work(self, option: str) -> None:
        Consumer(huey, workers=int(option), periodic=False, initial_delay=0.01, max_delay=0.05, backoff=1.0).run()


main(HueyPeer)
