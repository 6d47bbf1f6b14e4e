"""manage.py train: fit the runtime models of all organisations, or of one."""

import logging
import sys
from argparse import SUPPRESS, ArgumentParser
from functools import partial
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from jobs.processes.aside import bound
from jobs.processes.leader import fenced
from jobs.processes.trainer import NO_MEMORY
from jobs.training import AlreadyTraining, TooFewRuns, Training, malr, train_org
from orgs.models import Org
from predictor.rules import BASELINES

log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Train the runtime model of each organisation on its own newest runs, as the leader does by itself. A model is "
        "used from then on when its error on the held-out runs is below that of the one in use and of every simple "
        "predictor: " + ", ".join(BASELINES) + "."
    )
    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="only this organisation")
        parser.add_argument("--dry-run", action="store_true", help="train and measure, store nothing")
        parser.add_argument(
            "--max-seconds", type=float, default=settings.TRAIN_MAX_SECONDS, help="stop each training after this long"
        )
        # by the leader (jobs/processes/trainer.py): store only in this term, and end with this process
        parser.add_argument("--epoch", type=int, help=SUPPRESS)
        parser.add_argument("--parent", type=int, default=0, help=SUPPRESS)

    def handle(self, *args: Any, org: str | None, epoch: int | None, parent: int, **options: Any) -> None:
        orgs = Org.objects.filter(slug=org) if org else Org.objects.order_by("slug")
        if org and not orgs:
            raise CommandError(f"There is no organisation {org!r}.")
        if epoch is not None:
            bound(parent, settings.TRAIN_MEMORY_MAX_BYTES)
        for one in orgs:
            try:
                self.train(one, epoch, max_seconds=options["max_seconds"], dry_run=options["dry_run"])
            except (TooFewRuns, AlreadyTraining) as why_not:
                self.stdout.write(str(why_not))
            except MemoryError:
                log.exception("a training had too little memory", extra={"org": one.slug})
                sys.exit(NO_MEMORY)

    def train(self, org: Org, epoch: int | None, **options: Any) -> None:
        source, stored_in = ("command", transaction.atomic) if epoch is None else ("leader", partial(fenced, epoch))
        training = train_org(org, source=source, stored_in=stored_in, **options)
        self.stdout.write(report(training))


def report(training: Training) -> str:
    """What was learned, how good it is, and what follows from it."""
    held_out, metrics = training.metrics["held_out"], training.metrics
    errors = "  ".join(f"{name} {malr(metrics, name):.3f}" for name in (*BASELINES, "current") if name in metrics)
    if training.version is None:
        became = "dry run, nothing stored"
    elif training.active:
        became = f"version {training.version} stored and in use"
    else:
        became = f"version {training.version} stored but not used"
    return (
        f"{training.org}: {training.runs} runs, {held_out:.0f} held out, {metrics['train_seconds']:.1f} s\n"
        f"  mean |log2(predicted / actual)|: model {malr(metrics):.3f}  {errors}\n"
        f"  median error {metrics['mdape']:.0%}, within a factor of two {metrics['within_2x']:.0%},"
        f" within p10 to p90 {metrics['p10_p90_coverage']:.0%}\n"
        f"  {became} ({training.verdict.reason})"
    )
