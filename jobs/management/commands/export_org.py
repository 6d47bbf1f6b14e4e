"""manage.py export_org: all that an organisation has, as one ZIP file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.exports.archive import Archive
from orgs import audit
from orgs.models import Org


class Command(BaseCommand):
    help = "Write all that an organisation has into a new ZIP file, as its org_admins get it over the API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("file", metavar="FILE", type=Path, help="which must not be there yet")

    def handle(self, *args: Any, slug: str, file: Path, **options: Any) -> None:
        org = Org.objects.filter(slug=slug).first()
        if org is None:
            raise CommandError(f"There is no organisation {slug!r:.60}.")
        try:
            target = file.open("xb")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}") from None
        audit.record("org.export", org=org, target=org.slug)
        archive = Archive(org)
        try:
            with target:
                for piece in archive.pieces():
                    target.write(piece)
        except BaseException:
            # half of one is none
            file.unlink()
            raise
        rows = sum(table["rows"] for table in archive.tables.values())
        self.stdout.write(f"{file}: {rows} rows and {archive.files} files of {org.slug}")
