"""manage.py rotate_secrets: bring all that is sealed under the first of ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orgs.crypto import current_key_id
from orgs.sealed import rotate


class Command(BaseCommand):
    help = "Seal with the first of ENCRYPTION_KEYS what is sealed with another. Safe to repeat, and beside workers."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        unreadable = 0
        for column, resealed, bad in rotate():
            self.stdout.write(f"{column.model}.{column.field}: {resealed} sealed anew with key {current_key_id()!r}")
            for pk in bad:
                self.stderr.write(f"{column.model}.{column.field} of row {pk} cannot be read with any of the keys")
            unreadable += len(bad)
        if unreadable:
            raise CommandError(f"{unreadable} could not be read: keep the old keys until that is mended.")
        self.stdout.write("Nothing is sealed with another key: the old ones can be dropped.")
