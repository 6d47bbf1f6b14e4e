"""The jobs of all organisations, for platform admins."""

import pytest

from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, make_done, make_job

pytestmark = pytest.mark.django_db

PLATFORM = "/api/v1/platform/jobs/"


def test_a_platform_admin_sees_the_jobs_of_every_organisation(world: World) -> None:
    ours, theirs = make_done(world.org), make_job(world.rival)

    items = api(world.platform_admin).get(PLATFORM).json()["items"]

    assert [(item["id"], item["org"], item["status"]) for item in items] == [
        (str(theirs.pk), "rival", "queued"),
        (str(ours.pk), "acme", "done"),
    ]


def test_the_same_filters_narrow_them_and_the_organisation(world: World) -> None:
    make_job(world.org)
    done, theirs = make_done(world.org), make_done(world.rival)
    client = api(world.platform_admin)

    assert [item["id"] for item in client.get(PLATFORM, {"org": "acme", "status": "done"}).json()["items"]] == [
        str(done.pk)
    ]
    assert [item["id"] for item in client.get(PLATFORM, {"org": "rival"}).json()["items"]] == [str(theirs.pk)]
    assert client.get(PLATFORM, {"org": "unknown"}).json()["items"] == []
    assert client.get(PLATFORM, {"org": "Not A Slug"}).status_code == 400


def test_pages_go_across_organisations(world: World) -> None:
    made = [str(make_job(org).pk) for org in (world.org, world.rival, world.org)]
    client = api(world.platform_admin)

    first = client.get(PLATFORM, {"limit": 2}).json()
    second = client.get(PLATFORM, {"limit": 2, "cursor": first["next_cursor"]}).json()

    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]


@pytest.mark.parametrize("person", ["owner", "operator", "viewer", "outsider", "loner"])
def test_nobody_else_does_and_the_attempt_is_recorded(world: World, person: str) -> None:
    make_job(world.org)

    response = api(world.people()[person]).get(PLATFORM)

    assert response.status_code == 403
    assert AuditEntry.objects.get(action="access.denied").actor == world.people()[person]
