"""Dramatiq on Redis: acknowledged after the run; nothing is kept of a finished job."""

import os
import signal
import threading

# Messages a worker takes ahead; read by the library when it is imported.
os.environ["dramatiq_queue_prefetch"] = "64"  # noqa: SIM112 its name

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

from bench.peers.cli import Peer, main
from bench.peers.counter import count

broker = RedisBroker(url=os.environ["REDIS_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="noop")
def noop(number: int) -> None:
    count(number)


class Dramatiq(Peer):
    options = ("1", "8")
    tuning = "threads; prefetch 64"

    def setup(self) -> None:
        redis.Redis.from_url(os.environ["REDIS_URL"]).flushdb()

    def enqueue(self, number: int) -> None:
        noop.send(number)

    def work(self, option: str) -> None:
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        worker = dramatiq.Worker(broker, worker_threads=int(option))
        worker.start()
        stop.wait()
        worker.stop()


main(Dramatiq)
