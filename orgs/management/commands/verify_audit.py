"""Says whether the audit trail is as it was sealed: exit 0 if so, 1 if not, with what is wrong first."""

import json
import re
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orgs.audit_verify import LEAST_DIGITS, Report, verify


def digits(text: str) -> str:
    if not re.fullmatch(rf"[0-9a-fA-F]{{{LEAST_DIGITS},64}}", text):
        raise ArgumentTypeError(f"a hash, or at least its first {LEAST_DIGITS} hexadecimal digits")
    return text.lower()


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON object on stdout")
        parser.add_argument(
            "--head", type=digits, metavar="HASH", help="of a seal, noted elsewhere: it must still be there"
        )

    def handle(self, *args: Any, as_json: bool, head: str | None, **options: Any) -> None:
        report = verify(head or "")
        if as_json:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            self.tell(report)
        if report.found:
            sys.exit(1)

    def tell(self, report: Report) -> None:
        for finding in report.findings:
            self.stdout.write(f"{finding.kind}: {finding.text}")
        if report.found > len(report.findings):
            self.stdout.write(f"and {report.found - len(report.findings)} more")
        verdict = "NOT as it was sealed" if report.found else "as it was sealed"
        self.stdout.write(f"the audit trail is {verdict}: {report.rows} rows under {report.seals} seals")
        if report.erased:
            self.stdout.write(f"of {report.erased} of them, of organisations that were erased, the digests are left")
        if report.unsealed:
            self.stdout.write(f"{report.unsealed} rows after the newest seal are not sealed yet")
        if report.head:
            self.stdout.write(f"head: seal {report.head.number}, row {report.head.last_id}, {report.head.sha256}")
