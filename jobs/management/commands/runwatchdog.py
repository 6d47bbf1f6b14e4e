"""manage.py runwatchdog: see jobs/processes/watchdog.py."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from jobs.processes import exposition
from jobs.processes.loop import refuse_undurable
from jobs.processes.telling import ProcessCollector
from jobs.processes.watchdog import Watchdog


class Command(BaseCommand):
    help = "Run a watchdog until told to stop; run two or more, on different hosts."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        exposition.add_arguments(parser)

    def handle(self, *, metrics_host: str, metrics_port: int, **options: Any) -> None:
        exposition.refuse_taken(metrics_host, metrics_port)
        refuse_undurable()
        process = Watchdog()
        exposition.serve(ProcessCollector(process), metrics_host, metrics_port)
        process.handle_signals()
        process.run()
