"""manage.py up: the same as `make up`, for those who look for it here."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from smartqueue.__main__ import main


class Command(BaseCommand):
    help = "Start PostgreSQL, migrate, seed a demo and run web, worker, scheduler and watchdog. Ctrl-C stops all."
    # They would ask the database, which is not running yet.
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        sys.exit(main(argv[2:]))

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main([]))
