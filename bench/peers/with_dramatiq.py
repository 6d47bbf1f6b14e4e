"""Dramatiq on Redis: acknowledged after the run; nothing is kept of a finished job."""

import os
import signal
import threading

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench.peers.cli import Peer, main
from bench.peers.counter import count

broker = RedisBroker(url=os.environ["REDIS_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="noop")
def noop() -> None:
    count()


class Dramatiq(Peer):
    # threads
    options = (1, 8)

    def setup(self) -> None:
        redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()

    def enqueue(self) -> None:
        noop.send()

    def work(self, option: int) -> None:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        worker = dramatiq.Worker(broker, worker_threads=option)
        worker.start()
        stop.wait()
        worker.stop()


main(Dramatiq)
