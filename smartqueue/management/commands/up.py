"""manage.py up: everything, started and watched over, until Ctrl-C."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from smartqueue.embedded import EmbeddedError
from smartqueue.state import StateError, state_dir
from smartqueue.up import Console, Options, Up, UpError


class Command(BaseCommand):
    help = "Start PostgreSQL, migrate, seed a demo and run web, scheduler, worker and watchdog. Ctrl-C stops all."
    # They would ask the database, which is not running yet.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", type=int, default=os.environ.get("PORT") or 8000, help="or the next free one")
        parser.add_argument("--no-demo", action="store_true", default=os.environ.get("DEMO") == "0")

    def handle(self, *, host: str, port: int, no_demo: bool, **options: Any) -> None:
        if not 0 < port < 65536:
            raise CommandError(f"PORT={port}: from 1 to 65535")
        try:
            status = Up(state_dir(), Options(host, port, demo=not no_demo), Console(sys.stdout)).run()
        except (UpError, EmbeddedError, StateError, OSError) as error:
            raise CommandError(str(error)) from error
        sys.exit(status)
