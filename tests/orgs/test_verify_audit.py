# ruff: noqa: S608  (the statements are of the test)
"""What a superuser does to the audit trail behind its triggers, and what manage.py verify_audit says of it."""

import json
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from orgs import audit
from orgs.audit_seals import Sealer, hash_of
from orgs.models import AuditEntry, AuditHead, AuditSeal
from tests.concurrency import superuser_session

pytestmark = pytest.mark.django_db(transaction=True)

FORGED = """
    INSERT INTO orgs_auditentry (id, actor_name, action, target, detail, correlation_id, at)
    VALUES ({}, 'mallory', 'test.act', '', '{{}}', '', now())
"""


def behind(*statements: str) -> None:
    """As a superuser who switches triggers off."""
    with superuser_session() as session, session.transaction():
        session.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            session.execute(statement.encode())


@pytest.fixture
def ids() -> list[int]:
    """Of twelve rows under three seals, with a gap in the second."""
    sealer = Sealer()
    for group in range(3):
        for number in range(4):
            audit.record("test.act", target=f"{group}.{number}", old="a", new="b")
            if (group, number) == (1, 1):
                with transaction.atomic():
                    audit.record("test.act")
                    transaction.set_rollback(True)
        sealer(1)
    return list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True))


def verified(*words: str) -> dict[str, Any]:
    out = StringIO()
    status = 0
    try:
        call_command("verify_audit", "--json", *words, stdout=out)
    except SystemExit as ended:
        status = int(str(ended.code))
    answer: dict[str, Any] = json.loads(out.getvalue())
    assert status == (0 if answer["ok"] else 1)
    return answer


def said() -> str:
    out = StringIO()
    with suppress(SystemExit):
        call_command("verify_audit", stdout=out)
    return out.getvalue()


def first(*words: str) -> tuple[str, int | None]:
    """What is wrong first, and with which row."""
    answer = verified(*words)
    assert not answer["ok"]
    return answer["findings"][0]["kind"], answer["findings"][0]["row"]


def test_what_nobody_touched_is_in_order(ids: list[int]) -> None:
    audit.record("test.act")

    answer = verified()

    head = AuditSeal.objects.latest("number")
    assert (answer["ok"], answer["rows"], answer["seals"], answer["unsealed"]) == (True, 12, 3, 1)
    assert answer["head"] == {"seal": 3, "last_id": ids[-1], "sha256": head.sha256}
    assert head.sha256 in said()
    assert "as it was sealed: 12 rows under 3 seals" in said()


def test_an_empty_trail_is_in_order() -> None:
    assert verified()["ok"]


@pytest.mark.parametrize(
    "change",
    [
        """detail = '{"new": "c", "old": "a"}'""",
        "target = '1.1x'",
        "at = at + interval '1 microsecond'",
        "address = '10.0.0.1'",
        "org_id = 1",
        "actor_id = 1",
        "actor_name = 'x'",
        "key_prefix = 'x'",
        "correlation_id = 'x'",
        "action = 'test.acu'",
    ],
)
def test_a_changed_byte_is_named(ids: list[int], change: str) -> None:
    behind(f"UPDATE orgs_auditentry SET {change} WHERE id = {ids[5]}")

    assert first() == ("changed", ids[5])
    assert said().startswith(f"changed: row {ids[5]} was changed")


@pytest.mark.parametrize("place", [0, 1, 3, 5, 6, 11])
def test_a_deleted_row_is_named(ids: list[int], place: int) -> None:
    behind(f"DELETE FROM orgs_auditentry WHERE id = {ids[place]}")

    assert first() == ("missing", ids[place])


@pytest.mark.parametrize("forged", ["before all", "in a gap", "between seals"])
def test_a_forged_row_is_named(ids: list[int], forged: str) -> None:
    if forged == "between seals":
        with transaction.atomic():
            audit.record("test.act")
            transaction.set_rollback(True)
        audit.record("test.act")
        Sealer()(1)
    new_id = {"before all": 0, "in a gap": ids[5] + 1, "between seals": ids[11] + 1}[forged]

    behind(FORGED.format(new_id))

    assert first() == ("inserted", new_id)


def test_swapped_rows_are_named(ids: list[int]) -> None:
    behind(
        f"UPDATE orgs_auditentry SET id = -1 WHERE id = {ids[2]}",
        f"UPDATE orgs_auditentry SET id = {ids[2]} WHERE id = {ids[7]}",
        f"UPDATE orgs_auditentry SET id = {ids[7]} WHERE id = -1",
    )

    assert [(found["kind"], found["row"]) for found in verified()["findings"]] == [
        ("changed", ids[2]),
        ("changed", ids[7]),
    ]


def test_a_cut_tail_is_named_row_by_row(ids: list[int]) -> None:
    behind(f"DELETE FROM orgs_auditentry WHERE id >= {ids[9]}")

    assert first() == ("missing", ids[9])
    assert verified()["found"] == 3


def test_a_tail_that_is_cut_with_its_seals_is_named(ids: list[int]) -> None:
    behind(
        f"DELETE FROM orgs_auditentry WHERE id >= {ids[4]}",
        "DELETE FROM orgs_auditseal WHERE number >= 2",
    )

    assert first() == ("cut", ids[3] + 1)
    assert "seals 2 to 3 were cut off" in said()


def test_a_tail_that_is_cut_with_all_that_knows_of_it_is_found_by_a_head_noted_elsewhere(ids: list[int]) -> None:
    head, middle = (AuditSeal.objects.get(number=number).sha256 for number in (3, 2))
    assert verified("--head", head)["ok"]
    assert verified("--head", middle[:12].upper())["ok"]

    behind(
        f"DELETE FROM orgs_auditentry WHERE id >= {ids[8]}",
        "DELETE FROM orgs_auditseal WHERE number = 3",
        f"UPDATE orgs_audithead SET number = 2, last_id = {ids[7]}, sha256 = '{middle}'",
    )

    # This is what cannot be seen from inside.
    assert verified()["ok"]
    assert first("--head", head) == ("cut", ids[7] + 1)
    assert verified("--head", middle)["ok"]


def test_a_trail_that_is_sealed_anew_is_found_by_a_head_noted_elsewhere(ids: list[int]) -> None:
    head = AuditSeal.objects.get(number=3).sha256

    behind(
        f"UPDATE orgs_auditentry SET actor_name = 'x' WHERE id = {ids[0]}",
        "DELETE FROM orgs_auditseal",
        "DELETE FROM orgs_audithead",
    )
    Sealer()(1)

    assert verified()["ok"]
    assert first("--head", head)[0] == "cut"


def test_the_whole_trail_gone_is_named(ids: list[int]) -> None:
    behind("DELETE FROM orgs_auditentry", "DELETE FROM orgs_auditseal")

    assert first() == ("cut", 1)


@pytest.mark.parametrize(
    "change",
    [
        "rows = 5",
        "ids = '{[1,2)}'",
        "digests = '\\x00'",
        "rows_sha256 = 'x'",
        "made_at = now()",
        "epoch = 9",
        "first_id = first_id + 1",
        "sha256 = 'x'",
    ],
)
def test_a_changed_seal_is_named(ids: list[int], change: str) -> None:
    behind(f"UPDATE orgs_auditseal SET {change} WHERE number = 2")

    assert any((found["kind"], found["seal"]) == ("seal", 2) for found in verified()["findings"])


def test_a_changed_row_whose_seal_was_made_to_fit_breaks_the_chain(ids: list[int]) -> None:
    behind(f"UPDATE orgs_auditentry SET actor_name = 'x' WHERE id = {ids[5]}")
    seals = AuditSeal.objects.filter(number__lt=2)
    before, after = seals.get(), AuditSeal.objects.get(number=3)
    behind("DELETE FROM orgs_auditseal WHERE number > 1")
    Sealer()(1, batch=4)
    anew = AuditSeal.objects.get(number=2)
    assert (anew.previous, anew.sha256) == (before.sha256, hash_of(anew))
    after.save(force_insert=True)
    AuditHead.objects.update(number=3, last_id=after.last_id, sha256=after.sha256)

    answer = verified()

    assert [(found["kind"], found["seal"]) for found in answer["findings"]] == [("seal", 3)]
    assert "was not made after" in answer["findings"][0]["text"]


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_seal_is_named_and_its_rows_are_not_blamed(ids: list[int], number: int) -> None:
    behind(f"DELETE FROM orgs_auditseal WHERE number = {number}")

    (found,) = verified()["findings"]
    assert (found["kind"], found["seal"]) == ("seal", number)


def test_of_a_great_many_findings_the_first_are_told(ids: list[int]) -> None:
    for number in range(30):
        audit.record("test.act", target=number)
    Sealer()(1)

    behind("UPDATE orgs_auditentry SET actor_name = 'x'")

    answer = verified()
    assert (answer["found"], len(answer["findings"])) == (42, 20)
    assert "and 22 more" in said()


@pytest.mark.parametrize("head", ["abc", "x" * 64, "0" * 65])
def test_what_is_no_hash_is_refused(head: str) -> None:
    with pytest.raises(CommandError, match="hexadecimal"):
        call_command("verify_audit", "--head", head)
