"""Every field of every call that takes text, with each text: refused as a problem, or kept and shown as text."""

from itertools import product
from typing import Any

import pytest
from django.http import HttpResponse

from jobs.models import Job
from orgs.models import User
from tests.conftest import World
from tests.factories import browser
from tests.hostile.bodies import filled_with, mended
from tests.hostile.looking import is_page, looked_at
from tests.hostile.texts import HOSTILE
from tests.rights.test_mass_assignment import TAKERS, schema_of, taker, whose
from tests.rights.walk import Clients, undone
from tests.smartqueue.test_openapi import Operation

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]

LISTS = (
    "/",
    "/jobs/",
    "/dead-letters/",
    "/artefacts/",
    "/audit/",
    "/queues/",
    "/queues/default/",
    "/limits/",
    "/schedules/",
    "/members/",
    "/organisations/",
)
MOST_TRIES = 8
ENDS = {"finish_lease", "fail_lease", "release_lease"}
UNDONE = {"close_org", "platform_suspend_org", "platform_remove_user", "platform_suspend_user", "auth_me_destroy"}
# Whose fields hold any text, but for a few of them.
MUST_TAKE = {
    "submit_job",
    "submit_batch",
    "submit_task",
    "pause_queue",
    "create_schedule",
    "create_key",
    "create_webhook",
}
MUST_TAKE |= {"log_lease", "orgs_partial_update", "platform_suspend_org", "replay_job"}


def send(client: Any, operation: Operation, acme: Any, text: str) -> HttpResponse:
    """With the text in every field at once, then without those that were refused."""
    path, good, headers = taker(operation, acme)
    headers["x-org"] = "acme"
    good = good or next(iter(operation.request_examples().values()), {})
    body = filled_with(text, schema_of(operation), good)
    for _ in range(MOST_TRIES):
        response: HttpResponse = getattr(client, operation.method)(path, body, headers=headers)
        assert response.status_code < 500, (str(operation), response.content)
        if response.status_code != 400:
            break
        body = mended(body, good, response.json()["errors"])
    return response


def send_and_undo(client: Any, operation: Operation, acme: Any, text: str, people: list[User]) -> int:
    """What ends an organisation or a person is undone, and looked at before."""
    with undone():
        status = send(client, operation, acme, text).status_code
        for person, path in product(people, (*LISTS, "/platform/organisations/")):
            response = browser(person).get(path)
            if is_page(response, path):
                looked_at(response, path)
    return status


@pytest.mark.parametrize("name", HOSTILE)
def test_text_in_every_field_is_refused_or_shown_as_text(
    weights: bytes, world: World, acme: Any, clients: Clients, name: str
) -> None:
    before = set(Job.objects.values_list("pk", flat=True))
    answers = {}
    # those that end a lease leave it to the others
    for operation in sorted(TAKERS, key=lambda one: str(one) in ENDS):
        client, _ = clients[whose(operation)[0]]
        if str(operation) in UNDONE:
            answers[str(operation)] = send_and_undo(
                client, operation, acme, HOSTILE[name], [world.owner, world.platform_admin]
            )
        else:
            answers[str(operation)] = send(client, operation, acme, HOSTILE[name]).status_code
    taken = {operation for operation, status in answers.items() if status < 300}
    assert taken > MUST_TAKE, answers

    new = Job.objects.for_org(world.org).exclude(pk__in=before)
    seen = browser(world.owner)
    for path in [*LISTS, *(f"/jobs/{job.pk}/" for job in new), *(f"/jobs/submit/?from={job.pk}" for job in new)]:
        response = seen.get(path)
        assert is_page(response, path)
        looked_at(response, path)
