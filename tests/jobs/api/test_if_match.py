"""Acts on a job as it was read: If-Match, over REST, and against workers that move it meanwhile."""

import threading
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from jobs.api import views
from jobs.models import Job, Lease, Transition
from orgs.models import AuditEntry
from orgs.roles import Role
from tests.concurrency import Background, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_job, make_member, make_org
from tests.jobs.api.refusals import assert_refused

pytestmark = pytest.mark.django_db


def read(client: APIClient, job: Job) -> str:
    tag: str = client.get(f"/api/v1/jobs/{job.pk}/")["ETag"]
    return tag


def act(client: APIClient, job: Job, what: str, tag: str) -> Any:
    return client.post(f"/api/v1/jobs/{job.pk}/{what}/", {}, headers={"if-match": tag})


def state() -> list[Any]:
    return [Transition.objects.count(), AuditEntry.objects.count(), *Job.objects.values("status", "life", "attempt")]


def test_a_job_is_cancelled_as_it_was_read_or_not_at_all(world: World) -> None:
    client, job = api(world.operator), make_job(world.org)
    tag = read(client, job)
    (claimed,) = claim_all()
    before = state()

    assert assert_refused(act(client, job, "cancellation", tag), 412)["type"].endswith("version_changed")
    assert state() == before
    assert not Lease.objects.get().cancel_requested

    assert act(client, job, "cancellation", read(client, job)).status_code == 202
    assert finish_one(claimed)


def test_a_dead_letter_is_replayed_as_it_was_read_or_not_at_all(world: World) -> None:
    client, job = api(world.operator), make_dead_letter(world.org)
    tag = read(client, job)
    before = state()

    for stale in (f"W/{tag}", '"x"', "", tag.strip('"')):
        assert_refused(act(client, job, "replay", stale), 412)
    assert state() == before
    assert act(client, job, "replay", f'"x", {tag}').status_code == 200
    # it has moved on by that
    assert_refused(act(client, job, "replay", tag), 412)
    assert_refused(act(client, job, "replay", "*"), 409)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mover", ["claim", "end"])
def test_nothing_moves_the_job_between_the_look_and_the_act(monkeypatch: pytest.MonkeyPatch, mover: str) -> None:
    org = make_org("acme")
    client, job = api(make_member(org, Role.OPERATOR)), make_job(org)
    claims = claim_all() if mover == "end" else []
    tag, looked = read(client, job), threading.Event()
    go_on = threading.Event()
    shown = views.representation

    def slowly(found: Job) -> dict[str, Any]:
        body = shown(found)
        looked.set()
        go_on.wait(20)
        return body

    monkeypatch.setattr(views, "representation", slowly)
    acting = Background(lambda: act(client, job, "cancellation", tag))
    assert looked.wait(20)
    if mover == "claim":
        # it is passed over
        assert claim_all() == []
        go_on.set()
        assert acting.result().status_code == 200
        assert Job.objects.get().status == "cancelled"
        assert not Lease.objects.exists()
    else:
        ending = Background(lambda: finish_one(claims[0]))
        eventually(lambda: waiting_for_locks() > 0)
        go_on.set()
        assert acting.result().status_code == 202
        assert ending.result() is True
        assert Job.objects.get().status == "done"
    connection.close()
