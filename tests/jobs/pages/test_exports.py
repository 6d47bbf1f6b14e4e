"""From a list to a job that exports what it shows, by links and forms alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client

from jobs.exports.sources import filters_of
from jobs.handlers.datasets import MOMENTS, moment
from jobs.listing import narrowed
from jobs.models import Job
from jobs.pages.exports import NAMES, given
from jobs.pages.filters import JobFilterForm
from tests.conftest import World
from tests.factories import browser, make_dead_letter, make_done, make_job
from tests.jobs.pages.pages import read
from tests.jobs.pages.test_submit import form_of

pytestmark = pytest.mark.django_db


def exported(client: Client, path: str) -> dict[str, Any]:
    """The payload of the job that comes of following the link of the list and pressing the button of the form."""
    (link,) = [one for one in read(client.get(path)).all("a") if one.text == "Export"]
    response = client.post("/jobs/submit/", form_of(read(client.get(link.attributes["href"]))))
    assert response.status_code == 302, response.content
    return Job.objects.get(type="data-export").payload


def test_the_list_of_jobs_is_exported_as_it_is_filtered_and_sorted(world: World) -> None:
    make_dead_letter(world.org, user=world.operator, queue="reports", urgency="low", title="a=1 & b")
    query = "q=a%3D1+%26+b&status=failed,done&queue=reports&urgency=low&type=python&creator=operator"
    more = "&created_after=2020-01-02T03:04&error_type=ValueError&sort=-predicted&limit=25"

    payload = exported(browser(world.operator), f"/jobs/?{query}{more}")

    assert payload == {
        "dataset": "jobs",
        "format": "csv",
        "filter": {
            "q": "a=1 & b",
            "status": ["failed", "done"],
            "queue": "reports",
            "urgency": "low",
            "type": "python",
            "creator": "operator",
            "created_after": "2020-01-02T03:04:00Z",
            "error_type": "ValueError",
        },
        "order": "-predicted_ms",
    }


def test_the_dead_letters_are_exported_as_they_are_filtered(world: World) -> None:
    make_dead_letter(world.org, queue="reports")

    payload = exported(browser(world.operator), "/dead-letters/?queue=reports&failed_before=2199-01-01T00:00&sort=name")

    assert payload == {
        "dataset": "dead_letters",
        "format": "csv",
        "filter": {"queue": "reports", "failed_before": "2199-01-01T00:00:00Z"},
        "order": "name",
    }


def test_a_time_that_moves_with_the_clock_is_written_down(world: World) -> None:
    make_done(world.org)
    now = datetime.now(UTC)

    payload = exported(browser(world.operator), "/jobs/?within=1h")

    assert 3_590 < (now - moment(payload["filter"]["created_after"])).total_seconds() < 3_610


def test_the_link_follows_the_filter_without_a_load(world: World) -> None:
    make_done(world.org, urgency="low")

    fragment = read(browser(world.operator).get("/jobs/?urgency=low&cursor=", headers={"HX-Request": "true"}))

    assert [one.attributes["href"] for one in fragment.all("a") if one.text == "Export"] == [
        "/jobs/export/?urgency=low"
    ]


def test_who_may_not_submit_has_no_link_and_is_told_why(world: World) -> None:
    make_dead_letter(world.org)
    client = browser(world.viewer)

    for path in ("/jobs/", "/dead-letters/"):
        assert "Export" not in [one.text for one in read(client.get(path)).all("a")]
        assert "Submitting takes the role operator" in read(client.get(f"{path}export/")).text


@pytest.mark.parametrize("path", ["/jobs/", "/dead-letters/"])
@pytest.mark.parametrize("query", ["within=forever", "sort=password", "q=%00", "limit=7"])
def test_a_filter_that_is_none_leads_back_to_the_list(world: World, path: str, query: str) -> None:
    response = browser(world.operator).get(f"{path}export/?{query}")

    assert (response.status_code, response["Location"]) == (302, f"{path}?{query}")


def test_a_type_of_an_old_bookmark_does_not_become_any_type(world: World) -> None:
    page = read(browser(world.operator).get("/jobs/export/?type=gone&category=Old"))

    sent = form_of(page)
    assert (sent["of_type"], sent["of_category"]) == ("gone", "Old")


def test_filters_come_back_as_they_went(world: World) -> None:
    job = make_job(world.org)
    query = QueryDict("status=done,queued&created_before=2199-01-01T00:00&q=demo&error_type=")
    form = JobFilterForm(query, world.org)
    assert form.is_valid()

    payload = given(form.filters(), NAMES)

    again = filters_of({name: moment(value) if name in MOMENTS else value for name, value in payload.items()})
    assert again == form.filters()
    assert list(narrowed(Job.objects.for_org(world.org), again)) == [job]
