"""manage.py reset: forget everything `up` has made outside the checkout."""

import shutil
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from smartqueue.embedded import Server
from smartqueue.state import locked, state_dir


class Command(BaseCommand):
    help = "Remove the state folder: the embedded database, logs, artefacts and secrets. Asks first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, yes: bool, **options: Any) -> None:
        state = state_dir()
        if not state.exists():
            self.stdout.write(f"{state} is not there: nothing to remove")
            return
        if not (state / "secrets.json").exists():
            raise CommandError(f"{state} does not look like a state folder of SmartQueue: nothing was removed")
        if not yes and input(f"Remove {state} with the database and all jobs in it? Type yes: ") != "yes":
            raise CommandError("nothing was removed")
        try:
            with locked(state / "up.lock", wait=False):
                Server(state).destroy()
                shutil.rmtree(state)
        except BlockingIOError as error:
            raise CommandError("SmartQueue is running: stop it first (Ctrl-C)") from error
        self.stdout.write(f"removed {state}")
