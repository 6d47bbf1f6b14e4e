"""The end of an organisation: nothing of it is left, nothing of another is touched, wherever it is broken off."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from jobs.models import Job
from jobs.queue import erase, sql
from jobs.queue.erase import Eraser
from jobs.queue.upkeep import fold_counts
from orgs.audit_seals import Sealer
from orgs.models import AuditEntry, Org, User
from tests.concurrency import Background, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_job, make_org
from tests.jobs.queue.erasing import assert_gone, due, erase_all, filled, folder, step, totals
from tests.jobs.whole_org import checksums, counts, files_of, fill_org, jobs_by_status

__all__ = ["filled", "folder"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_each_table_has_rows_before(filled: World) -> None:
    for org in (filled.org, filled.rival):
        assert [table for table, rows in counts(org.pk).items() if not rows] == []


def test_nothing_is_left_and_the_other_has_every_row(filled: World) -> None:
    before = checksums(filled.rival.pk)
    their_files = files_of(filled.rival.pk)

    erase_all(Eraser(settle_seconds=0))

    assert_gone(filled.org)
    assert checksums(filled.rival.pk) == before
    assert files_of(filled.rival.pk) == their_files != []
    # people are their own
    assert User.objects.get(pk=filled.owner.pk).active_org is None
    assert User.objects.get(pk=filled.outsider.pk).active_org == filled.rival
    said = AuditEntry.objects.filter(action="org.erased").values_list("org", "target", "actor_name")
    assert list(said) == [(None, str(filled.org.pk), "")]
    assert not AuditEntry.objects.filter(target__contains="acme").exists()


class Killed(Exception):
    """Here the process is gone."""


@pytest.mark.parametrize("before_commit", [True, False])
def test_wherever_it_is_killed_another_goes_on(
    filled: World, before_commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes as far as two calls and dies in the third, before it commits; or after a file, before its row."""
    monkeypatch.setattr(erase, "JOBS_BATCH", 2)
    monkeypatch.setattr(erase, "FILES_BATCH", 1)
    rows, before, killed = sql.run, checksums(filled.rival.pk), []

    def run(name: str, **params: Any) -> Any:
        if name == "erase_files" and not before_commit and len(killed) < 2:
            killed.append(name)
            raise Killed
        return rows(name, **params)

    monkeypatch.setattr(sql, "run", run)
    for _ in range(100):
        eraser = Eraser(settle_seconds=0)
        for call in range(3):
            with suppress(Killed), transaction.atomic():
                eraser()
                if before_commit and call == 2:
                    killed.append("")
                    raise Killed
            Sealer()(1)
        if not Org.objects.filter(pk=filled.org.pk).exists():
            break

    assert len(killed) >= 2
    assert_gone(filled.org)
    assert checksums(filled.rival.pk) == before


def test_no_call_does_more_than_its_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erase, "JOBS_BATCH", 3)
    for _ in range(10):
        make_job(world.org)
    due(world.org)
    eraser, left = Eraser(settle_seconds=0), [10]

    while left[-1]:
        step(eraser)
        left.append(Job.objects.count())

    assert max(one - other for one, other in pairwise(left)) == 3


def test_before_its_day_nothing_is_touched(world: World) -> None:
    fill_org(world.org, world.owner)
    Org.objects.filter(pk=world.org.pk).update(erase_at=Now() + timedelta(hours=1))
    before = checksums(world.org.pk)

    assert not step(Eraser(settle_seconds=0))

    assert checksums(world.org.pk) == before


# --- to restore it --------------------------------------------------------------------------------------------------

RESTORE = "UPDATE orgs_org SET erase_at = NULL WHERE id = %s AND erasing_at IS NULL"


def restored(org: Org) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(RESTORE, [org.pk])
        return bool(cursor.rowcount)


def test_a_restore_that_comes_first_wins(world: World) -> None:
    due(world.org)
    with elsewhere() as other:
        other.execute(RESTORE, [world.org.pk])

        # it is not waited for: the next look will tell
        assert not step(Eraser(settle_seconds=0))
        other.execute("COMMIT")

    assert not step(Eraser(settle_seconds=0))
    assert Org.objects.get(pk=world.org.pk).erasing_at is None


def test_a_restore_that_comes_later_finds_that_it_is_too_late(world: World) -> None:
    due(world.org)
    with elsewhere() as other:
        other.execute("UPDATE orgs_org SET erasing_at = now() WHERE id = %s AND erase_at < now()", [world.org.pk])
        restore = Background(lambda: restored(world.org))
        eventually(lambda: waiting_for_locks() == 1)
        other.execute("COMMIT")

        assert restore.result() is False
    assert Org.objects.get(pk=world.org.pk).erase_at is not None


def test_a_restore_that_does_not_look_is_refused(world: World) -> None:
    due(world.org)
    step(Eraser(settle_seconds=0))

    with pytest.raises(IntegrityError, match="org_erasing_is_final"):
        Org.objects.filter(pk=world.org.pk).update(erase_at=None)


def test_the_sums_over_all_are_right_at_each_moment(filled: World) -> None:
    clean: Callable[[], bool] = lambda: totals() == jobs_by_status()  # noqa: E731
    assert clean()

    eraser = Eraser(settle_seconds=0)
    while step(eraser):
        assert clean()
        fold_counts()
        assert clean()


def test_an_organisation_that_is_new_is_not_taken_for_it(filled: World) -> None:
    erase_all(Eraser(settle_seconds=0))

    assert make_org("acme").pk > filled.org.pk
