"""The admin shows the queue's tables and changes nothing in them."""

import pytest

from jobs.models import Job, ModelVersion
from tests.conftest import World
from tests.factories import browser, make_done

pytestmark = pytest.mark.django_db

TABLES = ["job", "queue", "workerprocess", "leaderterm", "modelversion"]


@pytest.mark.parametrize("table", TABLES)
def test_a_platform_admin_sees_each_table(world: World, table: str) -> None:
    make_done(world.org, user=world.operator)
    ModelVersion.objects.create(org=world.org, version=1, weights=b"x", samples=1)

    response = browser(world.platform_admin).get(f"/admin/jobs/{table}/")

    assert response.status_code == 200


@pytest.mark.parametrize("table", TABLES)
def test_nobody_adds_to_a_table(world: World, table: str) -> None:
    assert browser(world.platform_admin).get(f"/admin/jobs/{table}/add/").status_code == 403


def test_a_job_is_shown_and_not_changed(world: World) -> None:
    job = make_done(world.org)
    client, path = browser(world.platform_admin), f"/admin/jobs/job/{job.pk}/change/"

    shown, posted = client.get(path), client.post(path, {"status": "failed"})

    assert (shown.status_code, posted.status_code) == (200, 403)
    assert client.post(f"/admin/jobs/job/{job.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Job.objects.get(pk=job.pk).status == "done"


@pytest.mark.parametrize("query", ["q=demo", "status=done", "q=%25", "p=2", "o=1.2"])
def test_a_list_can_be_asked(world: World, query: str) -> None:
    make_done(world.org)

    assert browser(world.platform_admin).get(f"/admin/jobs/job/?{query}").status_code in {200, 302}


def test_members_find_no_admin(world: World) -> None:
    assert browser(world.owner).get("/admin/jobs/job/", follow=True).status_code == 404
