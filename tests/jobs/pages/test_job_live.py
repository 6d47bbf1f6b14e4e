"""When the page of a job asks again, and what it is answered."""

import pytest

from jobs.queue.control import cancel
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import browser, claim_all, finish_one, make_dead_letter, make_job
from tests.jobs.pages.pages import read
from tests.jobs.pages.test_job import page_of, write

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def test_a_live_page_asks_until_the_job_has_ended(world: World) -> None:
    job = make_job(world.org)
    client = browser(world.viewer)

    waiting = read(client.get(f"/jobs/{job.pk}/")).by_id("job")
    (claimed,) = claim_all()
    finish_one(claimed)
    ended = client.get(f"/jobs/{job.pk}/", {"v": waiting.attributes["data-version"]}, headers=HTMX)

    assert waiting.attributes["hx-get"] == f"/jobs/{job.pk}/"
    assert "data-live" in waiting.attributes
    assert "data-live" not in read(ended).by_id("job").attributes


def test_a_dead_letter_stays_live_because_somebody_may_replay_it(world: World) -> None:
    page = page_of(world, make_dead_letter(world.org))

    assert "data-live" in page.by_id("job").attributes


def test_an_unchanged_job_answers_204_and_any_change_does_not(world: World) -> None:
    job = make_job(world.org)
    (claimed,) = claim_all()
    client = browser(world.viewer)

    def version() -> str:
        return read(client.get(f"/jobs/{job.pk}/")).by_id("job").attributes["data-version"]

    def status(seen: str) -> int:
        return client.get(f"/jobs/{job.pk}/", {"v": seen}, headers=HTMX).status_code

    seen = version()
    assert status(seen) == 204
    write(claimed, ("log", "one"))
    assert status(seen) == 200
    seen = version()
    write(claimed, progress=0.1, progress_message="")
    assert status(seen) == 200
    seen = version()
    cancel(job.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN))
    assert status(seen) == 200
    assert status(version()) == 204


def test_a_poll_for_a_job_of_others_is_not_found_whatever_the_version(world: World) -> None:
    job = make_job(world.org)
    seen = page_of(world, job).by_id("job").attributes["data-version"]

    response = browser(world.outsider).get(f"/jobs/{job.pk}/", {"v": seen}, headers=HTMX)

    assert response.status_code == 404
