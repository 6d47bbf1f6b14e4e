"""manage.py seed_demo: the demo organisations with a finished week, once."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from smartqueue.demo.seed import seed


class Command(BaseCommand):
    help = (
        "Make the demo: organisations acme and globex, a person in each role, a week of finished jobs and a first "
        "model. A second run changes nothing. The passwords are in demo.json in the state folder."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-model", action="store_true", help="leave the first model to a later run")

    def handle(self, *args: Any, verbosity: int, no_model: bool, **options: Any) -> None:
        done = seed(settings.STATE_DIR, model=not no_model)
        if verbosity:
            self.stdout.write(done)
