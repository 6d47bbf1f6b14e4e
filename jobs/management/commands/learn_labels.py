"""manage.py learn_labels: fit the classifiers of all organisations, or of one, to what their people corrected."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.label_training import Learned, NothingToLearn, learn_labels
from jobs.training import AlreadyTraining
from orgs.models import Org


class Command(BaseCommand):
    help = (
        "Fit the classifier of each organisation to its people's corrections. It is used from then on unless it is "
        "worse on corrections that are held out than the one in use. The leader does this by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="only this organisation")

    def handle(self, *args: Any, org: str | None, **options: Any) -> None:
        orgs = Org.objects.filter(slug=org) if org else Org.objects.order_by("slug")
        if org and not orgs:
            raise CommandError(f"There is no organisation {org!r}.")
        for one in orgs:
            try:
                self.stdout.write(report(learn_labels(one)))
            except (NothingToLearn, AlreadyTraining) as why_not:
                self.stdout.write(str(why_not))


def report(learned: Learned) -> str:
    metrics = learned.metrics
    became = "in use" if learned.active else "not used: worse than the one in use"
    compared = (
        f", right in {metrics['correct']:.0%} of {metrics['held_out']} held out, before {metrics['correct_before']:.0%}"
        if metrics["held_out"]
        else ""
    )
    return f"{learned.org}: {learned.labels} corrections{compared}; version {learned.version} stored and {became}"
