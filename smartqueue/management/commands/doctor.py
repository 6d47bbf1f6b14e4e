"""Says what is wrong with this deployment and how to mend it; exit 1 where something is, not only to be warned of."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from smartqueue.doctor import examined

MARKS = {"ok": "  ok     ", "warning": "! warning", "wrong": "✗ wrong  "}


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON object a line")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        wrong = 0
        for found in examined():
            wrong += found.state == "wrong"
            if as_json:
                self.stdout.write(json.dumps(asdict(found), ensure_ascii=False))
                continue
            self.stdout.write(f"{MARKS[found.state]}  {found.name}: {found.text}")
            if found.mend:
                self.stdout.write(f"             {found.mend}")
        if wrong:
            sys.exit(1)
