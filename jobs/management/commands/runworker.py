"""manage.py runworker: run jobs until told to stop."""

import gc
import logging
import os
import re
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.handlers import registry
from jobs.handlers.base import HandlerNotReady
from jobs.masking import Covered
from jobs.processes import exposition
from jobs.processes.forks import Forks
from jobs.processes.lookout import ALL_QUEUES
from jobs.processes.loop import refuse_undurable
from jobs.processes.telling import ProcessCollector
from jobs.processes.worker import Worker
from jobs.queue.enqueue import QUEUE_NAME

log = logging.getLogger(__name__)

# So many more made than freed, and the collector looks at them.
YOUNG_OBJECTS = 10_000
MOST_LABELS = 20
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}=[A-Za-z0-9._-]{1,63}", re.ASCII)


class Command(BaseCommand):
    help = "Run jobs. First SIGTERM: finish or give back, then exit. Second: exit at once."
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", default="default", help="comma-separated names, or * for all")
        parser.add_argument("--types", default="", help="comma-separated job types; all when empty")
        parser.add_argument("--concurrency", type=int, default=settings.WORKER_SLOTS, help="slots: jobs run at once")
        parser.add_argument("--processes", type=int, default=1, help="so many workers, each with as many slots")
        parser.add_argument(
            "--label", action="append", default=[], metavar="KEY=VALUE", help="shown with the worker; may be repeated"
        )
        exposition.add_arguments(parser)
        parser.add_argument("--until-empty", action="store_true", help="stop when there is nothing left to do")

    def handle(self, *, queues: str, types: str, concurrency: int, processes: int, **options: Any) -> None:
        asked: dict[str, Any] = {
            "queues": checked_queues(queues),
            "types": checked_types(types),
            "slots": checked_number("--concurrency", concurrency),
            "until_empty": options["until_empty"],
            "labels": checked_labels(options["label"]),
        }
        host, port = options["metrics_host"], options["metrics_port"]
        exposition.refuse_taken(host, port, checked_number("--processes", processes))
        try:
            if asked["types"]:
                registry.prepare(asked["types"])
            else:
                asked["types"] = all_ready()
        except HandlerNotReady as error:
            raise CommandError(str(error)) from error
        refuse_undurable()
        if processes == 1:
            code = work((host, port), **asked)
        else:
            parent = os.getpid()
            # each of them on a port of its own
            code = Forks(processes, lambda number: work((host, port and port + number), **asked, parent=parent)).run()
        # Threads of handlers that did not stop are not waited for: their jobs have been given back.
        self.stdout.flush()
        os._exit(code)


def all_ready() -> list[str]:
    """All job types but those that need what is not installed here: their jobs wait for another worker."""
    ready, missing = registry.prepare_installed()
    for text in missing:
        log.warning("A JOB TYPE IS NOT SERVED HERE: %s", text)
    return ready


def work(metrics: tuple[str, int], **asked: Any) -> int:
    """Be a worker until told to stop; returns the exit code."""
    collect_seldom()
    sys.stdout, sys.stderr = Covered(sys.stdout), Covered(sys.stderr)
    worker = Worker(**asked)
    exposition.serve(ProcessCollector(worker), *metrics)
    worker.handle_signals()
    worker.run()
    return worker.exit_code


def collect_seldom() -> None:
    """What is loaded by now stays: to look through it for garbage again and again would take a fifth of the time that
    small jobs take. Of what comes later most is freed without the collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


def words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def checked_queues(text: str) -> list[str]:
    names = words(text)
    if not names or any(name != ALL_QUEUES and not QUEUE_NAME.fullmatch(name) for name in names):
        raise CommandError(f"--queues {text!r}: expected names of lower-case letters, digits, - and _, or *")
    return names


def checked_types(text: str) -> list[str]:
    unknown = set(words(text)) - set(registry.types())
    if unknown:
        raise CommandError(f"--types: no such job type: {', '.join(sorted(unknown))}")
    return words(text)


def checked_labels(texts: list[str]) -> dict[str, str]:
    if len(texts) > MOST_LABELS or not all(LABEL.fullmatch(text) for text in texts):
        raise CommandError(
            f"--label: KEY=VALUE of letters, digits, dots, dashes and underscores; {MOST_LABELS} at most"
        )
    return dict(text.split("=", 1) for text in texts)


def checked_number(option: str, number: int) -> int:
    if not 1 <= number <= 1000:
        raise CommandError(f"{option}: from 1 to 1000")
    return number
