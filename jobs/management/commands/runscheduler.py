"""manage.py runscheduler: see jobs/processes/scheduler.py."""

from typing import Any

from django.core.management.base import BaseCommand

from jobs.processes.loop import refuse_undurable
from jobs.processes.scheduler import Scheduler


class Command(BaseCommand):
    help = "Run a scheduler until told to stop; run two or more, on different hosts."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        refuse_undurable()
        process = Scheduler()
        process.handle_signals()
        process.run()
