# ruff: noqa: S608  (the statements are of the test)
"""The trail of an organisation that is erased: gone, and verify_audit still tells whatever else was touched."""

from typing import Any

import pytest
from django.db import Error, connection
from django.db.models.functions import Now

from orgs import audit, erasing
from orgs.audit_seals import DIGEST, Sealer
from orgs.models import AuditEntry, AuditErased, Org
from tests.factories import make_org
from tests.orgs.test_verify_audit import behind, said, verified

pytestmark = pytest.mark.django_db(transaction=True)


def seal() -> None:
    Sealer()(1)


def erase_trail(org: Org, batch: int = 4) -> None:
    """As the leader does, who seals in between."""
    Org.objects.filter(pk=org.pk).update(erase_at=Now(), erasing_at=Now())
    while (did := erasing.erase_trail(org.pk, batch)) != 0:
        if did is None:
            seal()
        assert verified()["ok"]


@pytest.fixture
def org() -> Org:
    """Ten entries, between those of another and of none."""
    org, other = make_org("gone"), make_org("stays")
    for number in range(10):
        audit.record("test.act", org=org, target=f"gone {number}")
        audit.record("test.act", org=other, target=number)
        if number % 3 == 0:
            audit.record("test.act", target=number)
            seal()
    return org


def test_its_entries_go_and_the_trail_is_whole_at_each_moment(org: Org) -> None:
    others = list(AuditEntry.objects.exclude(org=org).order_by("pk").values())

    erase_trail(org)

    assert not AuditEntry.objects.filter(org=org).exists()
    assert list(AuditEntry.objects.exclude(action="org.erase").order_by("pk").values()) == others
    answer = verified()
    assert (answer["ok"], answer["erased"], answer["unsealed"]) == (True, 10, 0)
    assert answer["rows"] == len(others) + 10 + 3
    assert "of 10 of them, of organisations that were erased, the digests are left" in said()


def test_what_is_left_says_which_rows_and_nothing_of_them(org: Org) -> None:
    ids = list(AuditEntry.objects.filter(org=org).order_by("pk").values_list("pk", flat=True))

    erase_trail(org, batch=100)

    (entry,) = AuditEntry.objects.filter(action="org.erase")
    assert (entry.org_id, entry.target, entry.actor_name, entry.detail["rows"]) == (None, str(org.pk), "", 10)
    assert entry.detail["ids"].count("[") == len([one for one in ids if one - 1 not in ids])
    assert entry.detail.keys() == {"rows", "ids", "sha256"}
    kept = AuditErased.objects.order_by("pk")
    assert list(kept.values_list("pk", "org_id", "covered_by")) == [(one, org.pk, entry.pk) for one in ids]
    assert {len(one.digest) for one in kept} == {32}


def test_entries_that_have_no_seal_yet_wait_for_it() -> None:
    org = make_org()
    audit.record("test.act", org=org)
    Org.objects.filter(pk=org.pk).update(erase_at=Now(), erasing_at=Now())

    assert erasing.erase_trail(org.pk) is None
    assert not AuditErased.objects.exists()

    seal()
    assert erasing.erase_trail(org.pk) == 1
    # nor do they go before the entry that says so is sealed
    assert erasing.erase_trail(org.pk) is None
    assert AuditEntry.objects.filter(org=org).exists()
    seal()
    assert [erasing.erase_trail(org.pk) for _ in range(2)] == [1, 0]


def refused(statement: str) -> bool:
    with pytest.raises(Error, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    return True


def test_the_database_lets_nothing_go_that_is_not_covered(org: Org) -> None:
    delete = f"DELETE FROM orgs_auditentry WHERE org_id = {org.pk}"
    assert refused(delete)

    Org.objects.filter(pk=org.pk).update(erase_at=Now(), erasing_at=Now())
    seal()
    assert refused(delete)

    # something stands for some, and what says so has no seal yet
    assert erasing.erase_trail(org.pk, 4) == 4
    assert refused(delete)
    seal()
    assert refused(delete)
    assert refused("DELETE FROM orgs_auditentry WHERE org_id IS NULL")

    Org.objects.filter(pk=org.pk).update(erasing_at=None)
    assert refused("DELETE FROM orgs_auditentry WHERE id IN (SELECT id FROM orgs_auditerased)")
    assert AuditEntry.objects.filter(org=org).count() == 10


@pytest.mark.parametrize("statement", ["UPDATE {} SET org_id = 1", "DELETE FROM {}"])
def test_what_stands_for_them_cannot_be_changed(org: Org, statement: str) -> None:
    erase_trail(org)

    assert refused(statement.format("orgs_auditerased"))


# --- what a superuser does behind the triggers ----------------------------------------------------------------------


def rows_of(org: Org) -> list[int]:
    return list(AuditErased.objects.filter(org_id=org.pk).order_by("pk").values_list("pk", flat=True))


def named(kind: str, row: int) -> bool:
    answer = verified()
    assert not answer["ok"]
    return (kind, row) in [(one["kind"], one["row"]) for one in answer["findings"]]


def test_a_changed_digest_is_named(org: Org) -> None:
    erase_trail(org)
    row = rows_of(org)[5]

    behind(f"UPDATE orgs_auditerased SET digest = sha256('x') WHERE id = {row}")

    assert named("changed", row)


def test_a_digest_whose_end_was_changed_is_named_with_its_batch(org: Org) -> None:
    erase_trail(org)
    row = rows_of(org)[4]

    behind(f"UPDATE orgs_auditerased SET digest = substr(digest, 1, 31) || '\\x00' WHERE id = {row}")

    assert named("erased", row)


def test_a_digest_that_is_deleted_is_named(org: Org) -> None:
    erase_trail(org)
    row = rows_of(org)[5]

    behind(f"DELETE FROM orgs_auditerased WHERE id = {row}")

    assert named("erased", row)
    assert named("missing", row)


def stood_in(row: int, org_id: int, cover: int) -> str:
    return f"""INSERT INTO orgs_auditerased (id, org_id, digest, covered_by)
        SELECT id, {org_id}, {DIGEST}, {cover} FROM orgs_auditentry WHERE id = {row}"""


@pytest.mark.parametrize("cover", ["of none", "of another erasure", "not sealed"])
def test_a_deleted_row_for_which_a_digest_was_put_in_is_named(org: Org, cover: str) -> None:
    erase_trail(org)
    victim = AuditEntry.objects.filter(org__slug="stays").order_by("pk")[3].pk
    old = AuditEntry.objects.filter(action="org.erase").latest("pk").pk
    new = audit.record("org.erase", target=org.pk, rows=1, ids=f"{{[{victim},{victim + 1})}}", sha256="x").pk

    behind(
        stood_in(victim, org.pk, {"of none": 1, "of another erasure": old, "not sealed": new}[cover]),
        f"DELETE FROM orgs_auditentry WHERE id = {victim}",
    )

    assert named("erased", victim)


def test_an_erasure_of_one_that_is_there_is_named(org: Org) -> None:
    """Though it was sealed as if it were one."""
    victim = AuditEntry.objects.filter(org__slug="stays").order_by("pk")[3]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT encode(sha256({DIGEST}), 'hex') FROM orgs_auditentry WHERE id = {victim.pk}")
        (digest,) = cursor.fetchone()
    ids = f"{{[{victim.pk},{victim.pk + 1})}}"
    cover = audit.record("org.erase", target=victim.org_id, rows=1, ids=ids, sha256=digest).pk
    seal()

    behind(stood_in(victim.pk, int(victim.org_id or 0), cover), f"DELETE FROM orgs_auditentry WHERE id = {victim.pk}")

    assert named("erased", victim.pk)


def test_a_row_that_is_deleted_without_is_named_as_ever(org: Org) -> None:
    erase_trail(org)
    victim = AuditEntry.objects.filter(org__slug="stays").order_by("pk")[3].pk

    behind(f"DELETE FROM orgs_auditentry WHERE id = {victim}")

    (found,) = verified()["findings"]
    assert (found["kind"], found["row"]) == ("missing", victim)


@pytest.mark.parametrize("detail", [{}, {"rows": 1, "ids": "everything", "sha256": "x"}, {"ids": "{}"}])
def test_an_entry_that_says_nothing_covers_nothing(org: Org, detail: dict[str, Any]) -> None:
    audit.record("org.erase", target="acme", **detail)
    cover = audit.record("org.erase", target=org.pk, **detail).pk
    seal()
    victim = AuditEntry.objects.filter(org__slug="stays").order_by("pk")[3].pk

    assert verified()["ok"]
    behind(stood_in(victim, org.pk, cover), f"DELETE FROM orgs_auditentry WHERE id = {victim}")

    assert named("erased", victim)
