"""SmartQueue itself, through the same face."""

import os

import django

from bench.peers.cli import Peer, main

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smartqueue.settings")
django.setup()
from django.core.management import call_command  # noqa: E402

from jobs.queue.enqueue import NewJob, enqueue, enqueue_many  # noqa: E402
from orgs.models import Org  # noqa: E402

NOOP = NewJob(type="python", payload={"task": "bench.noop"}, queue="bench")


class Smartqueue(Peer):
    done_sql = "SELECT count(*) FROM jobs_job WHERE status = 'done'"
    # its slots
    options = (10, 100, 300)

    def setup(self) -> None:
        call_command("migrate", verbosity=0)
        Org.objects.create(slug="bench", name="Bench")

    def open(self) -> None:
        self.org = Org.objects.get(slug="bench")

    def enqueue(self) -> None:
        enqueue(NOOP, org=self.org, user=None)

    def enqueue_bulk(self, number: int) -> None:
        enqueue_many([NOOP] * number, org=self.org, user=None)

    def work(self, option: int) -> None:
        call_command("runworker", queues="bench", concurrency=option)


main(Smartqueue)
