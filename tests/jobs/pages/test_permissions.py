"""Every page and action about jobs, for every kind of person."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from django.test import Client

from jobs.models import Job
from tests.conftest import World
from tests.factories import browser, make_dead_letter, make_done, make_job, make_version

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

MISSING = UUID("01900000-0000-7000-8000-000000000000")


@dataclass
class Jobs:
    """A job of acme in each of the places an action needs."""

    queued: Job
    done: Job
    failed: Job

    def path(self, pattern: str) -> str:
        return pattern.format(queued=self.queued.pk, done=self.done.pk, failed=self.failed.pk)


@pytest.fixture(scope="module")
def jobs(one_world: World) -> Jobs:
    done, failed = make_done(one_world.org), make_dead_letter(one_world.org)
    make_version(one_world.org, 1)
    return Jobs(queued=make_job(one_world.org), done=done, failed=failed)


# For each: owner, operator, viewer, outsider. A person of another organisation finds nothing of this one.
PAGES = {
    "/jobs/": (200, 200, 200, 200),
    "/jobs/submit/": (200, 200, 200, 200),
    "/jobs/submit/?from={done}": (200, 200, 200, 404),
    "/jobs/submit/task/?task=demo.add": (200, 200, 403, 200),
    "/jobs/export/?status=failed": (200, 200, 200, 200),
    "/dead-letters/export/": (200, 200, 200, 200),
    "/jobs/{done}/": (200, 200, 200, 404),
    "/jobs/{done}/result/": (200, 200, 200, 404),
    "/jobs/{done}/log/1/": (200, 200, 200, 404),
    "/dead-letters/": (200, 200, 200, 200),
    "/dead-letters/download/": (200, 200, 200, 200),
    "/jobs/download/?status=failed": (200, 200, 200, 200),
    "/bulk-operations/": (200, 200, 200, 200),
    "/bulk-operations/count/": (200, 200, 200, 200),
    "/bulk-operations/new/": (200, 200, 403, 200),
    "/bulk-operations/new/?kind=delete": (200, 403, 403, 200),
    "/dead-letters/replay/": (302, 302, 403, 302),
    "/queues/": (200, 200, 200, 200),
    "/usage/": (200, 200, 200, 200),
    "/model/": (200, 200, 200, 200),
    "/artefacts/": (200, 200, 200, 200),
    "/classifier/": (200, 200, 200, 200),
    "/audit/": (200, 403, 403, 200),
    "/audit/?job={done}": (200, 403, 403, 200),
    "/audit/export/": (200, 403, 403, 200),
    "/organisation/export/": (200, 403, 403, 200),
}
ACTIONS = {
    "/jobs/submit/": (400, 400, 403, 400),
    "/jobs/forecast/": (200, 200, 403, 200),
    "/jobs/cancellations/": (302, 302, 403, 302),
    "/jobs/replays/": (302, 302, 403, 302),
    "/jobs/{queued}/cancellation/": (302, 302, 403, 404),
    "/jobs/{failed}/deletion/": (302, 403, 403, 404),
    "/jobs/{queued}/snooze/": (302, 302, 403, 404),
    "/jobs/{queued}/run-now/": (302, 302, 403, 404),
    "/jobs/{queued}/change/": (302, 302, 403, 404),
    "/jobs/{failed}/replay/": (302, 302, 403, 404),
    "/jobs/{failed}/classification/": (302, 302, 403, 404),
    "/classifier/categories/": (302, 403, 403, 302),
    "/bulk-operations/selected/": (400, 400, 403, 400),
    "/artefacts/": (422, 422, 403, 422),
    "/artefacts/01900000-0000-7000-8000-000000000001/deletion/": (404, 404, 403, 404),
    "/queues/default/pause/": (302, 403, 403, 404),
    "/queues/default/policy/": (302, 403, 403, 404),
    "/queues/default/pause/undo/?version=1": (302, 403, 403, 404),
    "/queues/default/resume/": (302, 403, 403, 404),
    "/model/versions/1/promote/": (302, 403, 403, 404),
    "/model/rollback/": (302, 403, 403, 302),
}
ONLY_POST = set(ACTIONS) - set(PAGES)
BOTH = {*ACTIONS, "/bulk-operations/new/"}
PEOPLE = ("owner", "operator", "viewer", "outsider")


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("pattern", PAGES)
def test_page_is_for_those_who_may_see_it(world: World, jobs: Jobs, pattern: str, person: str) -> None:
    client = browser(world.people()[person])

    answered = client.get(jobs.path(pattern)).status_code

    assert answered == PAGES[pattern][PEOPLE.index(person)]


@pytest.mark.parametrize(
    ("path", "who", "role"),
    [("/bulk-operations/new/", "viewer", "operator"), ("/audit/", "operator", "org_admin")],
)
def test_what_is_refused_names_the_role_that_it_takes(world: World, path: str, who: str, role: str) -> None:
    response = browser(world.people()[who]).get(path)

    assert response.status_code == 403
    assert f"Your role in acme is {who}" in response.content.decode()
    assert f"that takes {role}." in response.content.decode()


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("pattern", ACTIONS)
def test_action_is_for_those_whose_role_allows_it(world: World, jobs: Jobs, pattern: str, person: str) -> None:
    client = browser(world.people()[person])

    answered = client.post(jobs.path(pattern)).status_code

    assert answered == ACTIONS[pattern][PEOPLE.index(person)]


@pytest.mark.parametrize("pattern", [*PAGES, *ACTIONS])
def test_nobody_comes_in_without_signing_in(jobs: Jobs, pattern: str) -> None:
    client = browser()
    act = client.get if pattern in PAGES else client.post

    response = act(jobs.path(pattern))

    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("pattern", [*PAGES, *ACTIONS])
def test_a_person_without_an_organisation_is_sent_to_find_one(world: World, jobs: Jobs, pattern: str) -> None:
    client = browser(world.loner)
    act = client.get if pattern in PAGES else client.post

    response = act(jobs.path(pattern))

    assert (response.status_code, response["Location"]) == (302, "/organisations/")


@pytest.mark.parametrize("pattern", sorted(ONLY_POST))
def test_an_action_is_no_page(world: World, jobs: Jobs, pattern: str) -> None:
    response = browser(world.owner).get(jobs.path(pattern))

    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize("pattern", sorted(path for path in PAGES if path.partition("?")[0] not in BOTH))
def test_a_page_takes_no_post(world: World, jobs: Jobs, pattern: str) -> None:
    response = browser(world.owner).post(jobs.path(pattern))

    assert response.status_code == 405


@pytest.mark.parametrize("tail", ["", "result/", "log/1/", "artefacts/01900000-0000-7000-8000-000000000001/"])
@pytest.mark.parametrize("job", [str(MISSING), "1", "nonsense", "../1", "01900000-0000-7000-8000-00000000000Z"])
def test_an_id_that_is_none_is_not_found(world: World, job: str, tail: str) -> None:
    response = browser(world.owner).get(f"/jobs/{job}/{tail}")

    assert response.status_code == 404


@pytest.mark.parametrize("action", ["cancellation", "replay", "classification"])
def test_an_action_on_an_unknown_job_is_not_found(world: World, action: str) -> None:
    response = browser(world.owner).post(f"/jobs/{MISSING}/{action}/")

    assert response.status_code == 404


@pytest.mark.parametrize("pattern", ACTIONS)
def test_a_form_of_another_site_does_nothing(world: World, jobs: Jobs, pattern: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)

    response = client.post(jobs.path(pattern))

    assert response.status_code == 403
    assert Job.objects.get(pk=jobs.queued.pk).status == "queued"


def test_a_platform_admin_sees_the_jobs_of_the_organisation_he_acts_in(world: World, jobs: Jobs) -> None:
    world.platform_admin.active_org = world.org
    world.platform_admin.save()

    response = browser(world.platform_admin).get(f"/jobs/{jobs.done.pk}/")

    assert response.status_code == 200
