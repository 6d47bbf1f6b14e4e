"""manage.py model: the versions of an organisation's model, and which of them is in use."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.errors import QueueError
from jobs.models import ModelVersion
from jobs.queue.versions import switch, switch_back
from orgs.models import Org


class Command(BaseCommand):
    help = "List the versions of an organisation's model, put one into use, or go back to the one in use before."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--org", metavar="SLUG", required=True)
        acts = parser.add_subparsers(dest="act", metavar="list | promote VERSION | rollback")
        acts.add_parser("list", help="show them; so it does without a word")
        acts.add_parser("promote", help="put this version into use").add_argument("version", type=int)
        acts.add_parser("rollback", help="go back to the one in use before")

    def handle(self, *args: Any, org: str, act: str | None, **options: Any) -> None:
        found = Org.objects.filter(slug=org).first()
        if found is None:
            raise CommandError(f"There is no organisation {org!r}.")
        try:
            if act == "promote":
                switch(found, options["version"], by="command")
                self.stdout.write(f"Version {options['version']} is in use.")
            elif act == "rollback":
                self.stdout.write(f"Version {switch_back(found, by='command')} is in use again.")
            else:
                self.list(found)
        except QueueError as error:
            raise CommandError(error.detail) from error

    def list(self, org: Org) -> None:
        versions = ModelVersion.objects.for_org(org).order_by("-version").defer("weights")
        for one in versions:
            self.stdout.write(
                f"{'*' if one.active else ' '} {one.version:>4}  {one.created_at:%F %H:%M}  {one.samples:>7} runs  "
                f"by {one.source or 'unknown'}  {one.reason}"
            )
        if not versions:
            self.stdout.write(f"{org.slug} has no model yet.")
