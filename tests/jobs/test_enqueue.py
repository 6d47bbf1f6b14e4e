"""Accepting jobs."""

import pytest

from tests.conftest import World
from tests.factories import claim_all, finish_one, make_job

pytestmark = pytest.mark.django_db


def test_a_job_is_stored_claimed_and_done(world: World) -> None:
    job = make_job(world.org)

    (claimed,) = claim_all()

    assert finish_one(claimed, result=3)
    job.refresh_from_db()
    assert (job.status, job.result, job.attempt) == ("done", 3, 1)
