"""Many at once, on real connections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.http import HttpResponse

from jobs.models import Job, Ready, Transition
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_job

pytestmark = pytest.mark.django_db(transaction=True)

JOBS = "/api/v1/jobs/"
ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
THREADS = 20


def at_once(calls: list[Callable[[], HttpResponse]]) -> list[Any]:
    """The answers to calls that all start at the same moment, each on its own connection."""
    gate = Barrier(len(calls))

    def run(call: Callable[[], HttpResponse]) -> HttpResponse:
        gate.wait()
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_one_key_sent_by_twenty_at_once_is_one_job(world: World) -> None:
    clients = [api(world.operator) for _ in range(THREADS)]

    answers = at_once(
        [lambda client=client: client.post(JOBS, ADD, headers={"Idempotency-Key": "k"}) for client in clients]
    )

    assert sorted(answer.status_code for answer in answers) == [200] * (THREADS - 1) + [201]
    job = Job.objects.get()
    assert {answer.json()["id"] for answer in answers} == {str(job.pk)}
    assert Ready.objects.count() == Transition.objects.count() == 1


def test_one_key_with_two_bodies_is_one_job_and_a_refusal_for_the_other(world: World) -> None:
    bodies = [ADD, {**ADD, "urgency": "high"}] * (THREADS // 2)
    clients = [(api(world.operator), body) for body in bodies]

    answers = at_once(
        [
            lambda client=client, body=body: client.post(JOBS, body, headers={"Idempotency-Key": "k"})
            for client, body in clients
        ]
    )

    job = Job.objects.get()
    outcomes = [
        (answer.status_code, body.get("urgency", "medium")) for answer, body in zip(answers, bodies, strict=True)
    ]
    assert all(status == 422 for status, urgency in outcomes if urgency != job.urgency)
    assert sorted(status for status, urgency in outcomes if urgency == job.urgency) == [200] * 9 + [201]


def test_keys_that_cross_in_bulk_calls_are_each_one_job(world: World) -> None:
    keys = [f"k{number}" for number in range(50)]
    calls = []
    for number in range(8):
        client = api(world.operator)
        jobs = [{**ADD, "idempotency_key": key} for key in (keys if number % 2 else reversed(keys))]
        calls.append(lambda client=client, jobs=jobs: client.post(f"{JOBS}bulk/", {"jobs": jobs}))

    answers = [answer.json() for answer in at_once(calls)]

    assert Job.objects.count() == Ready.objects.count() == 50
    assert sum(answer["created"] for answer in answers) == 50
    assert {answer["refused"] for answer in answers} == {0}


def test_a_dead_letter_sent_back_by_many_at_once_gets_one_new_life(world: World) -> None:
    job = make_dead_letter(world.org)
    clients = [api(world.operator) for _ in range(THREADS)]

    answers = at_once([lambda client=client: client.post(f"{JOBS}{job.pk}/replay/", {}) for client in clients])

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (THREADS - 1)
    assert Job.objects.get().life == 2
    assert AuditEntry.objects.filter(action="job.replay").count() == 1


def test_a_job_cancelled_by_many_at_once_is_cancelled_once(world: World) -> None:
    job = make_job(world.org)
    clients = [api(world.operator) for _ in range(THREADS)]

    answers = at_once([lambda client=client: client.post(f"{JOBS}{job.pk}/cancellation/", {}) for client in clients])

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (THREADS - 1)
    assert Transition.objects.filter(to_status="cancelled").count() == 1
