"""Seals: what they cover, whatever is committed in which order."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import Error, connection, transaction

from orgs import audit
from orgs.audit_seals import DIGEST, Sealer
from orgs.audit_verify import verify
from orgs.models import AuditEntry, AuditHead, AuditSeal
from tests.concurrency import elsewhere

pytestmark = pytest.mark.django_db(transaction=True)


def record(rows: int) -> None:
    for number in range(rows):
        audit.record("test.act", target=number)


def test_rows_are_sealed_in_batches_each_over_the_one_before() -> None:
    record(5)
    sealer = Sealer()

    assert [sealer(7, batch=2), sealer(7, batch=2), sealer(7, batch=2)] == [True, True, False]

    ids = list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))
    seals = list(AuditSeal.objects.order_by("number"))
    assert [(seal.number, seal.rows, seal.first_id, seal.last_id) for seal in seals] == [
        (1, 2, ids[0], ids[1]),
        (2, 2, ids[2], ids[3]),
        (3, 1, ids[4], ids[4]),
    ]
    assert [seal.previous for seal in seals] == ["0" * 64, seals[0].sha256, seals[1].sha256]
    assert AuditHead.objects.get().sha256 == seals[2].sha256
    assert {seal.epoch for seal in seals} == {7}
    assert not verify().found


def test_nothing_new_makes_no_seal() -> None:
    record(1)
    sealer = Sealer()
    sealer(1)

    assert not sealer(1)
    assert not Sealer()(2)
    assert AuditSeal.objects.count() == 1


def test_a_gap_left_by_what_was_taken_back_is_no_row() -> None:
    record(1)
    with transaction.atomic():
        record(3)
        transaction.set_rollback(True)
    record(1)

    Sealer()(1)

    assert AuditSeal.objects.get().rows == 2
    assert not verify().found


@contextmanager
def uncommitted() -> Iterator[psycopg.Connection]:
    """Another session that has written a row, for the test to commit."""
    with elsewhere() as session:
        session.execute(
            "INSERT INTO orgs_auditentry (actor_name, action, target, detail, correlation_id, at) "
            "VALUES ('', 'test.act', 'late', '{}', '', clock_timestamp())"
        )
        yield session


def test_a_row_that_is_committed_after_a_later_one_is_waited_for() -> None:
    sealer = Sealer()
    with uncommitted() as late:
        record(1)
        (later,) = AuditEntry.objects.all()

        assert not sealer(1)
        assert not sealer(1)
        assert not AuditSeal.objects.exists()

        late.execute("COMMIT")
        sealer(1)

    assert AuditSeal.objects.get().rows == 2
    assert AuditEntry.objects.earliest("pk").pk < later.pk
    assert not verify().found


def test_writers_that_come_later_hold_nothing_up() -> None:
    """With one always under way, rows are sealed all the same: each waits only for those before it."""
    sealer = Sealer()
    with uncommitted() as late:
        record(1)
        assert not sealer(1)
        with uncommitted():
            late.execute("COMMIT")
            sealer(1)

            assert AuditSeal.objects.get().rows == 2


def test_a_reader_or_a_writer_of_other_tables_holds_nothing_up() -> None:
    record(1)
    with elsewhere() as session:
        session.execute("SELECT count(*) FROM orgs_auditentry")
        session.execute("CREATE TEMPORARY TABLE other (id int); INSERT INTO other VALUES (1)")

        Sealer()(1)

    assert AuditSeal.objects.count() == 1


@pytest.mark.parametrize("table", ["orgs_auditseal", "orgs_audithead"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}"])
def test_seals_cannot_be_taken_away(table: str, statement: str) -> None:
    record(1)
    Sealer()(1)

    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER audit_no_truncate")
        with pytest.raises(Error, match="append-only"), transaction.atomic():
            cursor.execute(statement.format(table))
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER audit_no_truncate")

    with pytest.raises(Error, match="append-only"):
        AuditSeal.objects.update(epoch=2)


def test_a_seal_covers_every_column() -> None:
    columns = {field.column for field in AuditEntry._meta.concrete_fields}

    assert columns <= set(re.findall(r"\w+", DIGEST))
