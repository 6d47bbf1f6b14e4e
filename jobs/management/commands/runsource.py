"""manage.py runsource: see jobs/processes/intake.py."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError

from jobs.intake.messages import KeyNotGood, caller
from jobs.intake.sources import Source, source_named
from jobs.processes.intake import Intake
from jobs.processes.loop import refuse_undurable
from jobs.stream.sinks import NotInstalled


class Command(BaseCommand):
    help = "Submit jobs that come as messages from Kafka or SQS until told to stop; run as many as you like."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", choices=["kafka", "sqs"])

    def handle(self, *, source: str, **options: Any) -> None:
        refuse_undurable()
        try:
            found = source_named(source)
            check_key(found)
        except NotInstalled as error:
            raise CommandError(str(error)) from error
        process = Intake(found)
        process.handle_signals()
        process.run()


def check_key(source: Source) -> None:
    """A key that is wrong from the beginning is said at once; one that ends later is waited for."""
    name = f"SMARTQUEUE_SOURCE_{source.name.upper()}_KEY"
    try:
        caller(source.token)
    except KeyNotGood as error:
        source.close()
        raise CommandError(f"{name} is no key that opens anything, or a worker's: make one of an operator") from error
    except PermissionDenied as error:
        source.close()
        raise CommandError(f"{name}: {error}") from error
