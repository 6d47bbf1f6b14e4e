"""manage.py demo_trickle: keeps the demo organisations busy until told to stop."""

import signal
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orgs.models import Org
from smartqueue.demo.seed import ORGS
from smartqueue.demo.trickle import Trickle


class Command(BaseCommand):
    help = "Submit jobs of every type to the demo organisations, about one a second, until SIGTERM."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        orgs = [org for slug in ORGS if (org := Org.objects.filter(slug=slug).first())]
        if len(orgs) < len(ORGS):
            raise CommandError("There is no demo here: `manage.py seed_demo` makes it.")
        trickle = Trickle(Random())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: trickle.stopping.set())
        trickle.run(orgs)
