"""What still runs in an organisation that is erased, what comes meanwhile, and its files."""

from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from jobs.models import Artefact, Job, Lease, Queue, Ready
from jobs.queue.erase import Eraser
from jobs.states import Outcome
from orgs import audit
from orgs.models import Org
from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job, make_webhook
from tests.jobs.queue.erasing import assert_gone, due, erase_all, filled, folder, step
from tests.jobs.whole_org import files_of, make_file

__all__ = ["filled", "folder"]
pytestmark = pytest.mark.django_db(transaction=True)


# --- what still runs ------------------------------------------------------------------------------------------------


def test_who_runs_something_is_asked_to_stop_and_then_fenced(world: World, settings: Any) -> None:
    settings.LEASE_SECONDS = 3600
    make_job(world.org)
    (claimed,) = claim_all()
    make_webhook(world.org)
    due(world.org)
    eraser = Eraser(settle_seconds=0)
    while step(eraser):
        pass

    assert Lease.objects.get().cancel_requested
    assert Job.objects.exists()

    settings.LEASE_SECONDS = 0
    erase_all(eraser)
    assert not finish_one(claimed, Outcome.DONE)
    assert_gone(world.org)


def test_nothing_that_waits_is_begun_any_more(world: World) -> None:
    make_job(world.org)
    due(world.org)

    step(Eraser(settle_seconds=0))

    assert not Ready.objects.exists()
    assert claim_all() == []


def test_what_comes_meanwhile_goes_too(filled: World) -> None:
    eraser = Eraser(settle_seconds=0)
    while eraser.places.get(filled.org.pk, 0) < len(eraser.steps) - 2:
        step(eraser)
    job = make_job(filled.org)
    make_file(filled.org, job.pk)
    Queue.objects.get_or_create(org=filled.org, name="late")

    erase_all(eraser)

    assert_gone(filled.org)


def test_it_ends_only_when_those_that_began_before_are_over(world: World) -> None:
    due(world.org)
    eraser = Eraser(settle_seconds=3600)
    for _ in range(20):
        step(eraser)

    assert Org.objects.filter(pk=world.org.pk).exists()

    erase_all(Eraser(settle_seconds=0))
    assert not Org.objects.filter(pk=world.org.pk).exists()


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_without_a_row_goes_too(world: World) -> None:
    default_storage.save(f"{world.org.pk}/{'0' * 32}", ContentFile(b"x"))
    default_storage.save(f"{world.rival.pk}/{'0' * 32}", ContentFile(b"x"))
    due(world.org)

    erase_all(Eraser(settle_seconds=0))

    assert files_of(world.org.pk) == []
    assert not default_storage.exists(str(world.org.pk))
    assert files_of(world.rival.pk) == ["0" * 32]


def test_a_row_stays_until_its_file_is_gone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    make_file(world.org)
    due(world.org)
    eraser = Eraser(settle_seconds=0)
    delete = default_storage.delete

    def broken(name: str) -> None:
        raise OSError("the storage is away")

    monkeypatch.setattr(default_storage._wrapped, "delete", broken)  # type: ignore[attr-defined]
    for _ in range(10):
        step(eraser)
    assert Artefact.objects.exists()

    monkeypatch.setattr(default_storage._wrapped, "delete", delete)  # type: ignore[attr-defined]
    erase_all(eraser)
    assert_gone(world.org)


def test_one_that_waits_holds_up_no_other(world: World) -> None:
    audit.record("test.act", org=world.org)
    due(world.org)
    eraser = Eraser(settle_seconds=0)
    # acme waits for a seal
    while step(eraser):
        pass
    due(world.rival)

    while step(eraser):
        pass

    assert not Org.objects.filter(pk=world.rival.pk).exists()
    assert Org.objects.filter(pk=world.org.pk).exists()
