"""manage.py runscheduler: see jobs/processes/scheduler.py."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs.processes import exposition
from jobs.processes.loop import refuse_undurable
from jobs.processes.scheduler import Scheduler
from jobs.processes.telling import ProcessCollector


class Command(BaseCommand):
    help = "Run a scheduler until told to stop; run two or more, on different hosts."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        exposition.add_arguments(parser)

    def handle(self, *, metrics_host: str, metrics_port: int, **options: Any) -> None:
        exposition.refuse_taken(metrics_host, metrics_port)
        refuse_undurable()
        process = Scheduler()
        exposition.serve(ProcessCollector(process), metrics_host, metrics_port)
        process.handle_signals()
        process.run()
