"""SmartQueue itself, through the same face."""

import os

import django

from bench.peers.cli import Peer, main

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
django.setup()
from django.core.management import call_command  # noqa: E402

from bench import fill  # noqa: E402
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many  # noqa: E402
from orgs.models import Org  # noqa: E402


def noop(number: int = -1, queue: str = "bench") -> NewJob:
    return NewJob(type="python", payload={"task": "bench.noop", "kwargs": {"number": number}}, queue=queue)


class Smartqueue(Peer):
    options = ("10", "100", "500")
    tuning = "slots"
    done_sql = "SELECT count(*) FROM jobs_job WHERE status = 'done' AND queue = 'bench'"
    left_sql = """SELECT (SELECT count(*) FROM jobs_ready WHERE queue = 'bench')
                       + (SELECT count(*) FROM jobs_lease WHERE queue = 'bench')"""

    def setup(self) -> None:
        call_command("migrate", verbosity=0)
        Org.objects.create(slug="bench", name="Bench")

    def open(self) -> None:
        self.org = Org.objects.get(slug="bench")

    def enqueue(self, number: int) -> None:
        enqueue(noop(number), org=self.org, user=None)

    def enqueue_bulk(self, number: int) -> None:
        enqueue_many([noop()] * number, org=self.org, user=None)

    def fill(self, waiting: int, finished: int) -> None:
        fill.fill(waiting=waiting, finished=finished, queue="other")

    def work(self, option: str) -> None:
        call_command("runworker", queues="bench", concurrency=int(option))


main(Smartqueue)
