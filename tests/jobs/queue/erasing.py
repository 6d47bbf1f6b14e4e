"""An organisation's end, call by call."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from jobs.queue import sql
from jobs.queue.erase import Eraser
from orgs.audit_seals import Sealer
from orgs.audit_verify import verify
from orgs.models import Org, RateBucket
from orgs.rates import buckets_of
from tests.conftest import World
from tests.factories import make_job
from tests.jobs.whole_org import counts, files_of, fill_org, jobs_by_status


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.LEASE_SECONDS = 0


@pytest.fixture
def filled(world: World) -> World:
    """Two organisations with something in every table; acme's day has come."""
    fill_org(world.rival, world.outsider)
    fill_org(world.org, world.owner)
    # what came before was folded
    make_job(world.rival)
    due(world.org)
    return world


def due(org: Org) -> None:
    Org.objects.filter(pk=org.pk).update(erase_at=Now() - timedelta(seconds=1))


def step(eraser: Eraser) -> bool:
    with transaction.atomic():
        return eraser()


def erase_all(eraser: Eraser, most: int = 200) -> int:
    """Until it has nothing to do, sealing where it waits for that; how many calls that took."""
    for call in range(most):
        if not step(eraser):
            if not Org.objects.filter(erasing_at__isnull=False).exists():
                return call
            sealer = Sealer()
            while sealer(1):
                pass
    raise AssertionError(f"still at {eraser.places} after {most} calls")


def totals() -> dict[str, int]:
    return {row.status: row.jobs for row in sql.run("status_totals") if row.jobs}


def assert_gone(org: Org) -> None:
    assert {table: rows for table, rows in counts(org.pk).items() if rows} == {}
    assert files_of(org.pk) == []
    assert not RateBucket.objects.filter(name__in=buckets_of(org.pk)).exists()
    assert not verify().found
    assert totals() == jobs_by_status()
