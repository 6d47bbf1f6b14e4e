"""manage.py learn_labels: fit the classifiers of all organisations, or of one, to what their people corrected."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.label_training import Learned, NothingToLearn, learn_labels
from jobs.processes.aside import bound
from jobs.training import AlreadyTraining
from orgs.models import Org


class Command(BaseCommand):
    help = (
        "Fit the classifier of each organisation to its people's corrections. It is used from then on unless it is "
        "worse on corrections that are held out than the one in use. The leader does this by itself."
    )

    # Those of the web would import all of it: seconds at each start. `make check` runs them.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", help="only this organisation")
        # by the leader (jobs/processes/label_learner.py): end with this process
        parser.add_argument("--parent", type=int, help=SUPPRESS)

    def handle(self, *args: Any, org: str | None, parent: int | None, **options: Any) -> None:
        if parent is not None:
            bound(parent, settings.TRAIN_MEMORY_MAX_BYTES)
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
