"""What is sent back needs room as what is submitted does."""

import json

import pytest
from django.db.models import Sum
from pytest_django.fixtures import Settings

from jobs.errors import QueueFull
from jobs.models import BulkOutcome, Job, PayloadCount
from jobs.queue.bulk import Asked, start
from jobs.queue.bulk_run import run_bulk
from jobs.queue.control import replay, replay_many
from jobs.queue.upkeep import fold_payloads
from orgs import limit_hits
from orgs.limit_hits import lately
from orgs.models import AuditEntry
from tests.concurrency import at_once
from tests.conftest import World
from tests.factories import api, browser, make_dead_letter, make_job
from tests.jobs.pages.pages import read
from tests.jobs.queue.acts import own_scope, scope_of
from tests.jobs.queue.whole import assert_whole

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    limit_hits.forked()


def limited(world: World, **quotas: int) -> None:
    for name, value in quotas.items():
        setattr(world.org, name, value)
    world.org.save()


def statuses(dead: list[Job]) -> list[str]:
    return [Job.objects.get(pk=job.pk).status for job in dead]


def test_one_without_room_stays_a_dead_letter_and_says_why(world: World) -> None:
    job = make_dead_letter(world.org)
    make_job(world.org)
    limited(world, max_waiting_jobs=1)

    with pytest.raises(QueueFull) as refused:
        replay(job.pk, scope=scope_of(world))

    assert refused.value.members == {"quota": "waiting_jobs", "limit": 1, "used": 1}
    assert statuses([job]) == ["failed"]
    assert not AuditEntry.objects.filter(action="job.replay").exists()
    limited(world, max_waiting_jobs=2)
    replay(job.pk, scope=scope_of(world))
    assert statuses([job]) == ["queued"]
    assert_whole()


def test_of_many_the_first_are_sent_back_for_which_there_is_room(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(4)]
    limited(world, max_waiting_jobs=3)
    make_job(world.org)

    done = replay_many([job.pk for job in dead], scope=scope_of(world))

    assert done.ids == [job.pk for job in dead[:2]]
    assert done.refused == [job.pk for job in dead[2:]]
    assert done.full
    assert done.full.members == {"quota": "waiting_jobs", "limit": 3, "used": 3}
    assert statuses(dead) == ["queued", "queued", "failed", "failed"]
    limit_hits.add()
    assert {one.name: one.hits for one in lately(world.org)} == {"waiting_jobs": 2}
    assert_whole()


def test_their_payloads_need_room_too_an_edited_one_by_its_new_size(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(2)]
    size = len(json.dumps(dead[0].payload, separators=(",", ":")))
    limited(world, max_payload_bytes=size + 5)

    done = replay_many([job.pk for job in dead], scope=scope_of(world))

    assert done.refused == [dead[1].pk]
    assert done.full
    assert done.full.members == {"quota": "payload_bytes", "limit": size + 5, "used": size}
    with pytest.raises(QueueFull):
        replay(dead[1].pk, scope=scope_of(world))
    fold_payloads()
    assert PayloadCount.objects.aggregate(all=Sum("payload_bytes"))["all"] == size


def test_a_job_that_is_no_dead_letter_takes_no_room(world: World) -> None:
    waiting, dead = make_job(world.org), make_dead_letter(world.org)
    limited(world, max_waiting_jobs=2)

    done = replay_many([waiting.pk, dead.pk], scope=scope_of(world))

    assert (done.ids, done.refused) == ([dead.pk], [])


@pytest.mark.django_db(transaction=True)
def test_of_two_that_want_the_last_place_one_gets_it(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(2)]
    limited(world, max_waiting_jobs=1)

    scope = own_scope(world.org)

    def send(place: int) -> bool:
        try:
            replay(dead[place].pk, scope=scope)
        except QueueFull:
            return False
        return True

    assert sorted(at_once(lambda: send(0), lambda: send(1))) == [False, True]
    assert sorted(statuses(dead)) == ["failed", "queued"]


def test_far_from_the_quota_nobody_waits_for_anybody(world: World, settings: Settings) -> None:
    dead = make_dead_letter(world.org)
    limited(world, max_waiting_jobs=settings.QUOTA_MARGIN_JOBS + 10)
    done = replay_many([dead.pk], scope=scope_of(world))
    assert (done.ids, done.full) == ([dead.pk], None)


def test_a_bulk_operation_counts_what_found_no_room_as_failed(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(3)]
    limited(world, max_waiting_jobs=1)
    operation = start(Asked("replay"), scope=scope_of(world), counted=None)
    while run_bulk():
        pass

    operation.refresh_from_db()
    assert (operation.done, operation.skipped, operation.failed) == (1, 0, 2)
    words = dict(BulkOutcome.objects.filter(outcome="failed").values_list("job_id", "words"))
    assert words == dict.fromkeys([job.pk for job in dead[1:]], "no room: 1 of 1 waiting jobs")
    assert_whole()


def test_calls_and_pages_say_so(world: World) -> None:
    dead = [make_dead_letter(world.org) for _ in range(3)]
    limited(world, max_waiting_jobs=1)
    client, page = api(world.operator), browser(world.operator)

    some = client.post("/api/v1/jobs/replay/", {"ids": [str(job.pk) for job in dead]})
    every = client.post("/api/v1/jobs/replay/", {"filter": {}})
    single = client.post(f"/api/v1/jobs/{dead[1].pk}/replay/", {})

    assert some.json() == {"replayed": 1, "refused": 2, "more": False}
    assert every.json() == {"replayed": 0, "refused": 2, "more": False}
    assert (single.status_code, single.json()["quota"], single["Retry-After"]) == (429, "waiting_jobs", "5")
    shown = read(page.post(f"/jobs/{dead[1].pk}/replay/", follow=True)).text
    assert "may have 1 waiting jobs and has 1" in shown
    ticked = read(page.post("/jobs/replays/", {"job": [str(job.pk) for job in dead[1:]]}, follow=True)).text
    assert "2 not replayed. Your organisation may have 1 waiting jobs" in ticked
