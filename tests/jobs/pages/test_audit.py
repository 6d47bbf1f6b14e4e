"""The page of the audit trail."""

from typing import Any

import pytest

from orgs import audit
from orgs.audit_seals import Sealer
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import browser, make_job
from tests.orgs.reading import text

pytestmark = pytest.mark.django_db


def record(world: World, action: str = "test.act", **more: Any) -> None:
    audit.record(action, org=world.org, actor=world.owner, **more)


def test_it_shows_who_did_what_and_what_changed(world: World) -> None:
    record(world, "org.rename", target="acme", old="Acme", new="Acme Ltd", reason="merged")

    page = browser(world.owner).get("/audit/")

    assert page.status_code == 200
    told = text(page)
    assert all(word in told for word in ("owner", "org.rename", "acme", "Acme Ltd", "merged"))


@pytest.mark.django_db(transaction=True)
def test_it_says_up_to_where_it_is_sealed(world: World) -> None:
    record(world, "org.rename", target="acme")
    assert "Nothing is sealed yet" in text(browser(world.owner).get("/audit/"))

    Sealer()(1)

    last = AuditEntry.objects.latest("pk").pk
    assert f"Sealed through entry #{last} by seal 1" in text(browser(world.owner).get("/audit/"))


def test_filters_work_without_javascript_and_their_links_keep_them(world: World) -> None:
    for number in range(30):
        record(world, "job.cancel" if number % 2 else "job.replay", target=f"t{number}.")

    page = browser(world.owner).get("/audit/?action=job.cancel&limit=25").content.decode()

    assert "t1." in page
    assert "t2." not in page
    assert "/audit/export/?action=job.cancel&amp;form=csv" in page


def test_the_next_page_goes_on_where_this_one_ends(world: World) -> None:
    for number in range(30):
        record(world, target=f"t{number}.")
    client = browser(world.owner)

    first = client.get("/audit/?limit=25")
    rest = client.get(f"/audit/?limit=25&cursor={first.context['listing'].next_cursor}")

    seen = [entry["target"] for page in (first, rest) for entry in page.context["listing"].entries]
    assert seen == [f"t{number}." for number in reversed(range(30))]
    assert rest.context["listing"].next_cursor is None


def test_htmx_gets_the_region_and_the_address(world: World) -> None:
    record(world)

    answer = browser(world.owner).get("/audit/?action=test.act", headers={"HX-Request": "true"})

    assert answer.content.decode().lstrip().startswith('<section id="audit"')
    assert answer["HX-Push-Url"] == "/audit/?action=test.act"


@pytest.mark.parametrize("query", ["job=nonsense", "after=then", "cursor=x", "limit=7", "within=ever"])
def test_a_filter_that_is_none_shows_what_is_wrong_and_no_entries(world: World, query: str) -> None:
    record(world, target="t.")

    page = browser(world.owner).get(f"/audit/?{query}")

    assert page.status_code == 200
    assert 'role="alert"' in page.content.decode()
    assert "t." not in text(page).split()


def test_the_export_is_of_the_filter_and_in_the_trail(world: World) -> None:
    record(world, "job.cancel", target="=1+1")
    record(world, "job.replay")

    answer = browser(world.owner).get("/audit/export/?action=job.cancel&limit=25&form=csv")

    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[arg-type]
    assert len(lines) == 2
    assert "'=1+1" in lines[1]
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-acme-')
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert AuditEntry.objects.get(action="audit.export").detail == {"filter": {"action": "job.cancel"}}


@pytest.mark.parametrize("query", ["form=xml", "form=csv&job=nonsense"])
def test_an_export_that_cannot_be_made_is_refused(world: World, query: str) -> None:
    assert browser(world.owner).get(f"/audit/export/?{query}").status_code == 400
    assert not AuditEntry.objects.exists()


def test_a_jobs_page_leads_there_for_those_who_may_see_it(world: World) -> None:
    job = make_job(world.org)
    link = f"/audit/?job={job.pk}"

    assert link in browser(world.owner).get(f"/jobs/{job.pk}/").content.decode()
    assert link not in browser(world.operator).get(f"/jobs/{job.pk}/").content.decode()
    assert 'href="/audit/"' not in browser(world.operator).get("/jobs/").content.decode()
    assert 'href="/audit/"' in browser(world.owner).get("/jobs/").content.decode()
