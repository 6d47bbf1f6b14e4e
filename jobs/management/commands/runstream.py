"""manage.py runstream: see jobs/processes/streamer.py."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.models import StreamPosition
from jobs.processes.loop import refuse_undurable
from jobs.processes.streamer import Streamer
from jobs.stream.sinks import NotInstalled, sink_named


class Command(BaseCommand):
    help = "Send the event stream to Kafka or SQS until told to stop; run two or more, on different hosts."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sink", choices=["kafka", "sqs"])
        parser.add_argument(
            "--from-start",
            action="store_true",
            help="tell a receiver that is new all that is still kept, not only what happens from now on",
        )
        parser.add_argument(
            "--forget",
            action="store_true",
            help="forget how far it was told, and end: its lag is not measured any more",
        )

    def handle(self, *, sink: str, from_start: bool, forget: bool, **options: Any) -> None:
        if forget:
            StreamPosition.objects.filter(name=sink).delete()
            return
        refuse_undurable()
        try:
            process = Streamer(sink_named(sink), from_start=from_start)
        except NotInstalled as error:
            raise CommandError(str(error)) from error
        process.handle_signals()
        process.run()
