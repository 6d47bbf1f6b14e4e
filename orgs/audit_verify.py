"""Whether the audit trail is as it was sealed: every row and every seal is read and hashed again, in bounded memory.

For entries of organisations that were erased their digests stand (audit_erased.py): they are read among the rows.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from orgs.audit_erased import Covers
from orgs.audit_seals import DIGEST, KEPT_BYTES, NOTHING, hash_of
from orgs.models import AuditHead, AuditSeal

# So many findings are told of one by one.
MOST = 20
RANGE = re.compile(r"\[(-?\d+),(-?\d+)\)")
# What stands for a row comes after it, where the row is still there. In one statement, so of one moment.
ROWS = f"""
    SELECT id, {DIGEST}, NULL::bigint AS org, NULL::bigint AS cover FROM orgs_auditentry
    UNION ALL
    SELECT id, digest, org_id, covered_by FROM orgs_auditerased
    ORDER BY id, cover NULLS FIRST
"""  # noqa: S608
FETCHED = 2_000
# Beginnings of a hash that are long enough to name it.
LEAST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: `kind` is changed, missing, inserted, erased, seal or cut; `row` is its id, if it is known."""

    kind: str
    text: str
    row: int | None = None
    seal: int | None = None


@dataclass
class Report:
    seals: int = 0
    rows: int = 0
    # Of these rows only the digest is left.
    erased: int = 0
    # Rows after the newest seal: whether they are as they were is not known yet.
    unsealed: int = 0
    head: AuditSeal | None = None
    findings: list[Finding] = field(default_factory=list)
    found: int = 0

    def add(self, kind: str, text: str, *, row: int | None = None, seal: int | None = None) -> None:
        self.found += 1
        if len(self.findings) < MOST:
            self.findings.append(Finding(kind, text, row, seal))

    def as_json(self) -> dict[str, Any]:
        head = self.head
        return {
            "ok": not self.found,
            "seals": self.seals,
            "rows": self.rows,
            "erased": self.erased,
            "unsealed": self.unsealed,
            "head": {"seal": head.number, "last_id": head.last_id, "sha256": head.sha256} if head else None,
            "found": self.found,
            "findings": [asdict(finding) for finding in self.findings],
        }


# An id, its digest, and of one that was erased the organisation and the entry that covers it.
Read = tuple[int, bytes, int | None, int | None]


class Rows:
    """The trail in order of ids, read as far as it is asked for; what may not stand for a row is told and left out."""

    def __init__(self, read: Iterator[Read], covers: Covers, report: Report) -> None:
        self.covers = covers
        self.report = report
        self.each = self.standing(read)
        self.next = next(self.each, None)

    def standing(self, read: Iterator[Read]) -> Iterator[tuple[int, bytes]]:
        before = None
        for row_id, digest, org_id, cover in read:
            if cover is not None and row_id == before and self.covers.pending(cover):
                continue
            if cover is not None and not self.covers.hold(cover, org_id):
                text = f"what stands for row {row_id} is of no erasure that was sealed"
                self.report.add("erased", text, row=row_id)
            elif row_id != before:
                self.report.erased += cover is not None
                yield row_id, bytes(digest)
                before = row_id

    def up_to(self, last_id: int) -> Iterator[tuple[int, bytes]]:
        while self.next is not None and self.next[0] <= last_id:
            yield self.next
            self.next = next(self.each, None)


def verify(noted: str = "") -> Report:
    """`noted` is the hash of a seal, or its beginning, kept elsewhere: that seal must still be there."""
    report = Report()
    with transaction.atomic():
        # Before the seals are read: one that is made meanwhile is no loss.
        head = AuditHead.objects.first()
        seals = AuditSeal.objects.order_by("number").iterator(chunk_size=20)
        with connection.chunked_cursor() as cursor:
            first = next(seals, None)
            cursor.execute(ROWS)
            # after the rows are fixed: of what stands for one of them the cover was sealed before
            covers = Covers(report.add)
            batches = iter(lambda: cursor.fetchmany(FETCHED), [])
            rows = Rows((row for batch in batches for row in batch), covers, report)
            is_noted = check_seals(report, first, seals, rows, noted)
            report.unsealed = sum(1 for _ in rows.up_to(2**63))
    check_end(report, head, noted if not is_noted else "")
    return report


def check_seals(report: Report, first: AuditSeal | None, others: Iterator[AuditSeal], rows: Rows, noted: str) -> bool:
    """Each seal by itself, against the one before and against its rows; whether one has the noted hash."""
    seal, before, is_noted = first, None, False
    while seal is not None:
        check_chain(report, seal, before)
        check_rows(report, seal, before, rows)
        report.seals += 1
        is_noted = is_noted or seal.sha256.startswith(noted.lower())
        report.head = before = seal
        seal = next(others, None)
    return is_noted


def check_chain(report: Report, seal: AuditSeal, before: AuditSeal | None) -> None:
    expected = before.number + 1 if before else 1
    if seal.number != expected:
        gone = f"seal {expected} is" if seal.number == expected + 1 else f"seals {expected} to {seal.number - 1} are"
        after = before.last_id if before else 0
        report.add("seal", f"{gone} missing, of rows from {after + 1} to {seal.first_id - 1}", seal=expected)
    elif seal.previous != (before.sha256 if before else NOTHING):
        report.add("seal", f"seal {seal.number} was not made after the one that stands before it", seal=seal.number)
    if seal.sha256 != hash_of(seal):
        report.add(
            "seal", f"seal {seal.number} was changed, of rows {seal.first_id} to {seal.last_id}", seal=seal.number
        )


def check_rows(report: Report, seal: AuditSeal, before: AuditSeal | None, rows: Rows) -> None:
    """The rows up to the last of the seal, those of its ids and no others."""
    follows = seal.number == (before.number + 1 if before else 1)
    for row_id, _ in rows.up_to(seal.first_id - 1):
        # those of missing seals are not wrong for that
        if follows or row_id <= (before.last_id if before else 0):
            inserted(report, row_id, seal)
    expected = kept(seal)
    whole, seen = sha256(), 0
    faults = report.found
    for row_id, digest in rows.up_to(seal.last_id):
        missing(report, expected, seal, row_id)
        if expected and expected[-1][0] == row_id:
            _, start = expected.pop()
            if digest[:KEPT_BYTES] != start:
                report.add("changed", f"row {row_id} was changed after it was sealed", row=row_id, seal=seal.number)
            whole.update(digest)
            seen += 1
        else:
            inserted(report, row_id, seal)
    missing(report, expected, seal, seal.last_id + 1)
    report.rows += seen
    if report.found == faults and whole.hexdigest() != seal.rows_sha256:
        text = f"of rows {seal.first_id} to {seal.last_id} one or more were changed"
        report.add("changed", text, row=seal.first_id, seal=seal.number)


def missing(report: Report, expected: list[tuple[int, bytes]], seal: AuditSeal, before_id: int) -> None:
    """What should have come before this id."""
    while expected and expected[-1][0] < before_id:
        row_id, _ = expected.pop()
        report.add("missing", f"row {row_id} was deleted", row=row_id, seal=seal.number)


def inserted(report: Report, row_id: int, seal: AuditSeal) -> None:
    text = f"row {row_id} was put in after seal {seal.number} was made over the rows around it"
    report.add("inserted", text, row=row_id, seal=seal.number)


def kept(seal: AuditSeal) -> list[tuple[int, bytes]]:
    """The ids of a seal with the beginnings of their digests, the last first."""
    digests = bytes(seal.digests)
    ids = (row_id for begin, end in RANGE.findall(seal.ids) for row_id in range(int(begin), int(end)))
    # a changed one may say anything
    starts = range(0, len(digests), KEPT_BYTES)
    return [(row_id, digests[place : place + KEPT_BYTES]) for row_id, place in zip(ids, starts, strict=False)][::-1]


def check_end(report: Report, head: AuditHead | None, noted: str) -> None:
    """Whether the newest seal is the one that was made last, as far as something else knows."""
    last = report.head.number if report.head else 0
    after = report.head.last_id if report.head else 0
    if head is None and last:
        report.add("cut", "the note of the newest seal is gone", seal=last)
    elif head is not None and head.number > last:
        text = f"seals {last + 1} to {head.number} were cut off; the rows after {after}, to {head.last_id}, with them"
        report.add("cut", text, row=after + 1, seal=last + 1)
    elif head is not None and report.head and head.number == last and head.sha256 != report.head.sha256:
        report.add("seal", f"seal {last} is not the one that was noted as the newest", seal=last)
    if noted:
        text = f"no seal has the hash {noted}: the trail was cut off after row {after}, or sealed anew"
        report.add("cut", text, row=after + 1, seal=last + 1)
