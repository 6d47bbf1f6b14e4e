"""The page of all organisations, and what it does to them; and how members see the state of theirs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from jobs.queue import quotas
from orgs import life
from orgs.models import AuditEntry, Org
from orgs.roles import OrgState
from orgs.scope import find_scope
from tests.conftest import World
from tests.factories import browser, claim_all, make_job, make_org
from tests.orgs.reading import text

pytestmark = pytest.mark.django_db

PAGE = "/platform/organisations/"
NUMBERS = {
    "weight": "1.0",
    "max_waiting_jobs": "",
    "max_payload_bytes": "",
    "max_schedules": "",
    "max_artefact_bytes": "",
}


def rows(response: Any) -> dict[str, Any]:
    return {row["org"].slug: row for row in response.context["rows"]}


def test_it_shows_what_each_has(world: World) -> None:
    for _ in range(3):
        make_job(world.org)
    claim_all(slots=1)
    Org.objects.filter(pk=world.org.pk).update(max_waiting_jobs=7)
    client = browser(world.platform_admin)

    found = rows(client.get(PAGE))

    assert list(found) == ["rival", "acme"]
    assert found["acme"]["running"] == 1
    assert (found["acme"]["oldest_wait_ms"] > 0, found["rival"]["oldest_wait_ms"]) == (True, 0)
    for slug, org in (("acme", world.org), ("rival", world.rival)):
        org.refresh_from_db()
        assert [(one["used"], one["limit"], one["own"]) for one in found[slug]["quotas"]] == [
            (use.used, use.limit, use.own) for use in quotas.usage(org)
        ]
    assert (found["acme"]["quotas"][0]["used"], found["acme"]["quotas"][0]["limit"]) == (2, 7)


def test_it_is_asked_in_a_few_statements_however_many_there_are(
    world: World, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        make_org()
    client = browser(world.platform_admin)
    with django_assert_max_num_queries(12):
        assert len(rows(client.get(PAGE))) == 32


def test_it_is_narrowed_and_turned_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.pages.platform.PER_PAGE", 1)
    client = browser(world.platform_admin)
    first = client.get(PAGE)
    assert list(rows(first)) == ["rival"]
    assert list(rows(client.get(f"{PAGE}?{first.context['older']}"))) == ["acme"]
    assert list(rows(client.get(PAGE, {"q": "ACM"}))) == ["acme"]
    life.suspend("acme", reason="unpaid", actor=world.platform_admin)
    assert list(rows(client.get(PAGE, {"state": "suspended"}))) == ["acme"]
    assert rows(client.get(PAGE, {"q": "none"})) == {}
    for odd in ({"before": "x"}, {"before": "9" * 40}, {"state": "odd"}, {"q": "\0"}):
        assert client.get(PAGE, odd).status_code == 200


def test_numbers_are_set_and_only_those_that_changed(world: World) -> None:
    client = browser(world.platform_admin)

    client.post(f"{PAGE}acme/change/", NUMBERS | {"weight": "2.5", "max_schedules": "0"})
    answer = client.post(f"{PAGE}acme/change/", NUMBERS | {"weight": "2.5", "max_schedules": "0"}, follow=True)

    org = Org.objects.get(slug="acme")
    assert (org.weight, org.max_schedules, org.max_waiting_jobs) == (2.5, 0, None)
    assert "Nothing of acme was changed." in text(answer)
    assert list(AuditEntry.objects.order_by("id").values_list("action", "detail")) == [
        ("org.weight", {"old": {"weight": 1.0}, "new": {"weight": 2.5}}),
        ("org.quotas", {"old": {"max_schedules": None}, "new": {"max_schedules": 0}}),
    ]


@pytest.mark.parametrize("odd", [{"weight": "0"}, {"weight": "nan"}, {"max_schedules": "-1"}, {"max_schedules": "x"}])
def test_odd_numbers_change_nothing(world: World, odd: dict[str, str]) -> None:
    answer = browser(world.platform_admin).post(f"{PAGE}acme/change/", NUMBERS | odd, follow=True)

    assert "Nothing of acme was changed." in text(answer)
    assert Org.objects.get(slug="acme").weight == 1.0
    assert not AuditEntry.objects.exists()


def test_suspending_and_resuming(world: World) -> None:
    client = browser(world.platform_admin)

    assert "Nothing of acme was changed." in text(client.post(f"{PAGE}acme/suspension/", {"reason": ""}, follow=True))
    assert "acme is suspended." in text(client.post(f"{PAGE}acme/suspension/", {"reason": "unpaid"}, follow=True))
    assert Org.objects.get(slug="acme").state == OrgState.SUSPENDED
    # he sees it nevertheless, with its state on top
    client.post("/organisations/switch/", {"org": "acme"})
    page = client.get("/jobs/")
    assert page.status_code == 200
    assert "Acme is suspended: unpaid" in text(page)

    assert "acme goes on." in text(client.post(f"{PAGE}acme/resumption/", follow=True))
    assert Org.objects.get(slug="acme").state == OrgState.ACTIVE
    assert client.post(f"{PAGE}nothing/resumption/").status_code == 404


def test_it_is_for_platform_admins_and_others_are_noted(world: World) -> None:
    assert browser().get(PAGE)["Location"].startswith("/sign-in/")
    assert PAGE not in browser(world.owner).get("/").content.decode()
    assert PAGE in browser(world.platform_admin).get(PAGE).content.decode()
    for path, method in ((PAGE, "get"), (f"{PAGE}acme/suspension/", "post"), (f"{PAGE}rival/change/", "post")):
        assert getattr(browser(world.owner), method)(path, {"reason": "x"}).status_code == 403
    denied = AuditEntry.objects.filter(action="access.denied")
    assert {(row.actor_name, row.detail["wanted"]) for row in denied} == {("owner", "platform_admin")}
    assert len(denied) == 3


def test_members_of_a_suspended_one_are_told_why_and_may_go_elsewhere(world: World) -> None:
    life.suspend("acme", reason="unpaid", actor=world.platform_admin)
    client = browser(world.viewer)

    page = client.get("/organisations/")
    assert "Acme is suspended: unpaid" in text(page)
    assert "/dead-letters/" not in page.content.decode()
    refused = client.get("/")
    assert refused.status_code == 403
    assert "Acme is suspended: unpaid" in text(refused)
    assert 'href="/organisations/"' in refused.content.decode()


def test_an_org_admin_closes_and_restores(world: World) -> None:
    client = browser(world.owner)
    assert "Close this organisation" in text(client.get("/settings/"))
    assert "Close this organisation" not in text(browser(world.viewer).get("/settings/"))

    assert "It was not closed." in text(client.post("/organisations/closing/", {"confirm": "Acme"}, follow=True))
    assert Org.objects.get(slug="acme").erase_at is None
    closed = client.post("/organisations/closing/", {"confirm": "acme"}, follow=True)
    erase_at = Org.objects.get(slug="acme").erase_at
    assert erase_at is not None
    assert f"all of it is erased on {erase_at:%-d %B %Y, %H:%M} UTC" in text(closed)
    assert "Close this organisation" not in text(closed)
    assert "Your role here is" not in text(closed)

    assert "Acme is restored" in text(client.post("/organisations/restoration/", follow=True))
    life.close(scope=find_scope(world.owner, "acme"))
    Org.objects.filter(slug="acme").update(erase_at=Now() - timedelta(seconds=1))
    assert "Its day has come" in text(client.post("/organisations/restoration/", follow=True))
    assert Org.objects.get(slug="acme").state == OrgState.CLOSING


def test_a_job_and_the_overview_say_that_nothing_starts(world: World) -> None:
    job = make_job(world.org).pk
    life.close(scope=find_scope(world.owner, "acme"))
    client = browser(world.owner)

    assert "Acme is closing: nothing of it starts meanwhile." in text(client.get(f"/jobs/{job}/"))
    assert "nothing starts meanwhile" in text(client.get("/"))
