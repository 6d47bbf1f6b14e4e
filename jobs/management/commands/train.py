"""manage.py train: fit the runtime models of all organisations, or of one."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.training import BASELINES, AlreadyTraining, TooFewRuns, Training, malr, train_org
from orgs.models import Org


class Command(BaseCommand):
    help = (
        "Train the runtime model of each organisation on its own newest runs. A model is used from then on when its "
        "error on the held-out runs is below that of every simple predictor: " + ", ".join(BASELINES) + "."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="only this organisation")
        parser.add_argument("--dry-run", action="store_true", help="train and measure, store nothing")
        parser.add_argument(
            "--max-seconds", type=float, default=settings.TRAIN_MAX_SECONDS, help="stop each training after this long"
        )

    def handle(self, *args: Any, org: str | None, dry_run: bool, max_seconds: float, **options: Any) -> None:
        orgs = Org.objects.filter(slug=org) if org else Org.objects.order_by("slug")
        if org and not orgs:
            raise CommandError(f"There is no organisation {org!r}.")
        for one in orgs:
            try:
                self.stdout.write(report(train_org(one, max_seconds=max_seconds, dry_run=dry_run)))
            except (TooFewRuns, AlreadyTraining) as why_not:
                self.stdout.write(str(why_not))


def report(training: Training) -> str:
    """What was learned, how good it is, and what follows from it."""
    held_out, metrics = training.metrics["held_out"], training.metrics
    errors = "  ".join(f"{name} {malr(metrics, name):.3f}" for name in BASELINES)
    if training.version is None:
        became = "dry run, nothing stored"
    elif training.active:
        became = f"version {training.version} stored and in use"
    else:
        became = f"version {training.version} stored but not used: it does not beat every simple predictor"
    return (
        f"{training.org}: {training.runs} runs, {held_out:.0f} held out, {metrics['train_seconds']:.1f} s\n"
        f"  mean |log2(predicted / actual)|: model {malr(metrics):.3f}  {errors}\n"
        f"  median error {metrics['mdape']:.0%}, within a factor of two {metrics['within_2x']:.0%},"
        f" within p10 to p90 {metrics['p10_p90_coverage']:.0%}\n"
        f"  {became}"
    )
