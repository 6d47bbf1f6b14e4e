"""A suspended organisation, as people, programs and platform admins have it."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from jobs.downloads import signed
from jobs.models import Ready
from orgs import life
from orgs.models import AuditEntry, Org
from orgs.roles import OrgState, Role
from tests.conftest import World
from tests.factories import api, browser, claim_all, make_job, make_key, with_key
from tests.jobs.api.files import sent
from tests.jobs.api.own import Own, make_external

pytestmark = pytest.mark.django_db

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
PLATFORM, ACME = "/api/v1/platform/orgs/", "/api/v1/orgs/acme/"
WHY = "The invoice of May is open."


def suspend(world: World, reason: str = WHY) -> Any:
    return api(world.platform_admin).post(f"{PLATFORM}acme/suspend/", {"reason": reason})


def close(world: World, confirm: str = "acme") -> Any:
    return api(world.owner).delete(ACME, {"confirm": confirm})


def acme() -> Org:
    return Org.objects.get(slug="acme")


def trail(*actions: str) -> list[tuple[str, str, dict[str, Any]]]:
    rows = AuditEntry.objects.filter(action__in=actions).order_by("id")
    return [(row.action, row.actor_name, row.detail) for row in rows]


def assert_suspended(response: Any) -> None:
    body = response.json()
    assert (response.status_code, body["type"]) == (403, "urn:smartqueue:problem:organisation_suspended")
    assert (body["reason"], body["detail"]) == (WHY, f"Acme is suspended: {WHY}")


def test_from_the_next_call_on_nobody_works_in_a_suspended_organisation(world: World) -> None:
    """With tokens and keys that are out already, and in every way."""
    job = make_job(world.org).pk
    token, key = api(world.owner), with_key(make_key(world.owner, world.org, Role.ORG_ADMIN))
    page = browser(world.owner)
    assert [one.get("/api/v1/jobs/").status_code for one in (token, key)] == [200, 200]

    assert suspend(world).status_code == 200

    for client in (token, key):
        assert_suspended(client.post("/api/v1/jobs/", ADD))
        assert_suspended(client.get("/api/v1/jobs/"))
        assert_suspended(client.post(f"/api/v1/jobs/{job}/cancellation/", {}))
        assert_suspended(client.get(ACME))
    for path in ("/", "/jobs/", "/members/"):
        response = page.get(path)
        assert response.status_code == 403
        assert f"Acme is suspended: {WHY}" in response.content.decode()
    assert page.post(f"/jobs/{job}/cancellation/").status_code == 403
    assert page.get("/organisations/").status_code == 200
    assert with_key(make_key(world.outsider, world.rival, Role.VIEWER)).get("/api/v1/jobs/").status_code == 200


def test_a_refusal_is_in_the_trail(world: World) -> None:
    suspend(world)

    api(world.viewer).get("/api/v1/jobs/")
    with_key(make_key_of_suspended(world)).get("/api/v1/jobs/")
    browser(world.operator).get("/queues/")

    rows = AuditEntry.objects.filter(action="access.denied", org=world.org).order_by("id")
    assert [(row.actor_name, row.detail["wanted"], bool(row.key_prefix)) for row in rows] == [
        ("viewer", "read", False),
        ("owner", "read", True),
        ("operator", "read", False),
    ]


def make_key_of_suspended(world: World) -> str:
    life.resume("acme", actor=world.platform_admin)
    token = make_key(world.owner, world.org, Role.VIEWER)
    life.suspend("acme", reason=WHY, actor=world.platform_admin)
    return token


def test_it_costs_no_statement(world: World, django_assert_num_queries: Any) -> None:
    client = api(world.owner)
    suspend(world)
    # the entry in the trail, beside what each call asks
    with django_assert_num_queries(1) as asked:
        client.get("/api/v1/job-types/")
    assert "INSERT INTO" in asked.captured_queries[-1]["sql"]


def test_its_own_workers_begin_nothing_and_end_what_they_have(world: World) -> None:
    make_external(world.org), make_external(world.org)
    own = Own(make_key(world.owner, world.org))
    job = own.one()
    suspend(world)

    assert_suspended(own.claim())
    assert own.say(job, "log", {"lines": [{"text": "x"}]}).status_code == 200
    assert own.say(job, "finish", {"result": 1}).status_code == 200
    denied = AuditEntry.objects.get(action="access.denied")
    assert (denied.detail["wanted"], denied.key_prefix != "") == ("worker_claim", True)


def test_one_may_switch_and_leave_and_see_why(world: World) -> None:
    suspend(world)
    client = api(world.viewer)

    (item,) = client.get("/api/v1/orgs/").json()["items"]
    assert (item["state"], item["suspension_reason"], item["erase_at"]) == ("suspended", WHY, None)
    assert client.post(f"{ACME}activation/").status_code == 200
    assert client.delete(f"{ACME}membership/").status_code == 204


def test_a_platform_admin_goes_on_looking_but_no_key_of_his(world: World) -> None:
    job = make_job(world.org).pk
    key = with_key(make_key(world.platform_admin, world.org, Role.ORG_ADMIN))
    suspend(world)

    mine = api(world.platform_admin, world.org)
    assert mine.get(f"/api/v1/jobs/{job}/").status_code == 200
    assert_suspended(key.get("/api/v1/jobs/"))


def test_a_signed_link_opens_nothing_of_a_suspended_organisation(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    address = f"/artefacts/{signed(sent(world), 60)[0]}/"
    assert status_of(address) == 200

    suspend(world)
    assert status_of(address) == 404
    life.resume("acme", actor=world.platform_admin)
    close(world)
    assert status_of(address) == 200


def test_what_a_platform_admin_submits_there_waits(world: World) -> None:
    """As it is stored behind the wall, where the web sees the organisation's own rows."""
    suspend(world)

    response = api(world.platform_admin, world.org).post("/api/v1/jobs/", ADD)

    assert response.status_code == 201
    assert Ready.objects.get(job_id=response.json()["id"]).held
    assert claim_all() == []


def status_of(address: str) -> int:
    response = APIClient().get(address)
    if response.streaming:
        b"".join(response)
    return int(response.status_code)


def test_suspending_and_resuming_again_change_nothing(world: World) -> None:
    first, again = suspend(world).json(), suspend(world).json()
    assert (first["state"], first["suspension_reason"]) == ("suspended", WHY)
    assert again == first
    other = suspend(world, "Abuse.").json()
    assert (other["suspended_at"], other["suspension_reason"]) == (first["suspended_at"], "Abuse.")

    client = api(world.platform_admin)
    for _ in range(2):
        response = client.post(f"{PLATFORM}acme/resume/")
        assert (response.status_code, response.json()["state"]) == (200, "active")

    assert trail("org.suspend", "org.resume") == [
        ("org.suspend", "platform", {"reason": WHY}),
        ("org.suspend", "platform", {"reason": "Abuse."}),
        ("org.resume", "platform", {"reason": "Abuse."}),
    ]
    assert api(world.owner).get("/api/v1/jobs/").status_code == 200


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": " "}, {"reason": "x" * 201}, {"reason": "a\u202eb"}])
def test_a_suspension_has_a_reason(world: World, body: Any) -> None:
    response = api(world.platform_admin).post(f"{PLATFORM}acme/suspend/", body)

    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/reason")
    assert acme().state == OrgState.ACTIVE


def test_of_nothing_there_is_nothing_to_suspend(world: World) -> None:
    client = api(world.platform_admin)
    for word, body in (("suspend", {"reason": "x"}), ("resume", None)):
        assert client.post(f"{PLATFORM}nothing/{word}/", body).status_code == 404
    assert trail("org.suspend", "org.resume") == []


def test_organisations_are_listed_by_state(world: World) -> None:
    suspend(world)
    client = api(world.platform_admin)

    def listed(state: str) -> list[str]:
        return [one["slug"] for one in client.get(PLATFORM, {"state": state}).json()["items"]]

    assert (listed("suspended"), listed("active"), listed("closing")) == (["acme"], ["rival"], [])
    life.resume("acme", actor=world.platform_admin)
    close(world)
    assert (listed("suspended"), listed("active"), listed("closing")) == ([], ["rival"], ["acme"])
    assert client.get(PLATFORM, {"state": "odd"}).status_code == 400
