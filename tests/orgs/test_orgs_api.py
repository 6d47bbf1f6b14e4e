"""Organisations, switching, the profile and the platform lists over REST."""

import base64
from typing import Any

import pytest

from orgs.models import AuditEntry, Membership, Org
from orgs.roles import Role
from tests.conftest import World
from tests.factories import PASSWORD, api, make_member, make_org, make_user

pytestmark = pytest.mark.django_db


def roles(org: Org) -> dict[str, str]:
    return dict(org.memberships.values_list("user__username", "role"))


def audited(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


def test_the_founder_of_an_organisation_is_its_org_admin(world: World) -> None:
    response = api(world.loner).post("/api/v1/orgs/", {"name": "Loner & Sons"})

    assert response.status_code == 201
    body = response.json()
    assert (body["slug"], body["name"], body["role"], body["active"]) == (
        "loner-sons",
        "Loner & Sons",
        "org_admin",
        True,
    )
    assert body["created_at"].endswith("Z")
    assert api(world.loner).get(response.headers["Location"]).json() == body
    assert roles(Org.objects.get(slug="loner-sons")) == {"loner": "org_admin"}
    entry = audited("org.create")
    assert (entry.org_id, entry.actor, entry.address) == (
        Org.objects.get(slug="loner-sons").pk,
        world.loner,
        "127.0.0.1",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "x"},
        {"name": "x" * 81},
        {"name": "x" * 10_000},
        {"name": "a\u2028b"},
        {"name": 5},
        {"name": None},
        {"name": "Fine", "slug": "acme"},
        {"name": "Fine", "shell_programs": ["/bin/sh"]},
        [],
        [{"name": "Fine"}],
        "Fine",
    ],
)
def test_an_organisation_needs_a_name_and_takes_nothing_else(world: World, body: Any) -> None:
    for method, path in (("post", "/api/v1/orgs/"), ("patch", "/api/v1/orgs/acme/")):
        if method == "patch" and body == {}:
            continue
        assert getattr(api(world.owner), method)(path, body).status_code == 400

    assert Org.objects.count() == 2
    world.org.refresh_from_db()
    assert (world.org.name, world.org.shell_programs) == ("Acme", ["/bin/echo", "/bin/sleep"])


def test_a_name_without_latin_letters_gets_an_address_too(world: World) -> None:
    response = api(world.loner).post("/api/v1/orgs/", {"name": "株式会社"})

    assert response.json()["slug"] == "org"


def test_renaming_keeps_the_address_and_is_recorded(world: World) -> None:
    response = api(world.owner).patch("/api/v1/orgs/acme/", {"name": "Acme Ltd"})

    assert (response.json()["slug"], response.json()["name"]) == ("acme", "Acme Ltd")
    assert audited("org.rename").detail == {"old": "Acme", "new": "Acme Ltd"}


def test_the_list_holds_my_organisations_only_page_by_page(world: World) -> None:
    for number in range(3):
        Membership.objects.create(org=make_org(f"more{number}"), user=world.owner, role=Role.VIEWER)

    first = api(world.owner).get("/api/v1/orgs/?limit=3")
    second = api(world.owner).get("/api/v1/orgs/", {"limit": 3, "cursor": first.json()["next_cursor"]})

    assert [org["slug"] for org in first.json()["items"]] == ["more2", "more1", "more0"]
    assert 'rel="next"' in first.headers["Link"]
    assert [org["slug"] for org in second.json()["items"]] == ["acme"]
    assert second.json()["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["nonsense", "cD1hYmM=", "cD0xJm89LTE=", "😀", "x" * 2000])
def test_a_made_up_cursor_is_a_bad_request(world: World, cursor: str) -> None:
    response = api(world.owner).get(f"/api/v1/orgs/?cursor={cursor}")

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == "/cursor"


def test_a_cursor_beyond_every_number_is_an_end_or_a_beginning(world: World) -> None:
    far = base64.b64encode(b"p=" + b"9" * 30).decode()

    response = api(world.owner).get("/api/v1/orgs/", {"cursor": far})

    assert [org["slug"] for org in response.json()["items"]] == ["acme"]


def test_the_number_of_queries_does_not_grow_with_the_list(world: World, django_assert_max_num_queries: Any) -> None:
    for _ in range(20):
        make_member(world.org)

    with django_assert_max_num_queries(5):
        response = api(world.owner).get("/api/v1/orgs/acme/members/")

    assert len(response.json()["items"]) == 23


@pytest.mark.parametrize("slug", ["nothing", "rival", "ACME", "a_b", "%00", "-", "x" * 300])
def test_an_organisation_that_is_not_mine_is_not_found(world: World, slug: str) -> None:
    for path in (f"/api/v1/orgs/{slug}/", f"/api/v1/orgs/{slug}/members/", f"/api/v1/orgs/{slug}/invitations/"):
        response = api(world.owner).get(path)
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"


def test_a_foreign_organisation_and_one_that_is_not_there_look_the_same(world: World) -> None:
    foreign, absent = (api(world.owner).get(f"/api/v1/orgs/{slug}/").json() for slug in ("rival", "nothing"))

    for body in (foreign, absent):
        del body["instance"], body["request_id"]
    assert foreign == absent


def test_a_person_of_two_organisations_switches_between_them(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)
    client = api(world.owner)
    assert client.get("/api/v1/auth/me/").json()["active_org"] == "acme"

    response = client.post("/api/v1/orgs/rival/activation/")

    assert (response.json()["slug"], response.json()["role"], response.json()["active"]) == ("rival", "viewer", True)
    assert client.get("/api/v1/auth/me/").json()["active_org"] == "rival"
    assert audited("org.switch").detail == {"old": None, "new": "rival"}

    # what it is left for is another's while it is asked
    assert client.post("/api/v1/orgs/acme/activation/").json()["active"] is True
    assert AuditEntry.objects.filter(action="org.switch").latest("pk").detail == {"old": "rival", "new": "acme"}


def test_the_role_counts_in_the_organisation_it_was_given_in(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.owner, role=Role.VIEWER)

    assert api(world.owner).get("/api/v1/orgs/rival/invitations/").status_code == 403
    assert api(world.owner, world.org).get("/api/v1/orgs/rival/invitations/").status_code == 403
    assert api(world.owner, world.rival).get("/api/v1/orgs/acme/invitations/").status_code == 200


def test_who_is_removed_from_his_active_organisation_acts_in_another(world: World) -> None:
    Membership.objects.create(org=world.rival, user=world.operator, role=Role.VIEWER)
    client = api(world.operator)
    client.post("/api/v1/orgs/acme/activation/")

    api(world.owner).delete("/api/v1/orgs/acme/members/operator/")

    assert client.get("/api/v1/auth/me/").json()["active_org"] == "rival"


@pytest.mark.parametrize("slug", ["rival", "nothing", "ACME", "a b", "\x00", "é", "x" * 5000])
def test_x_org_naming_an_organisation_that_is_not_mine_is_404(world: World, slug: str) -> None:
    client = api(world.owner)

    assert client.get("/api/v1/jobs/", headers={"X-Org": "acme"}).status_code == 200
    assert client.get("/api/v1/jobs/", headers={"X-Org": slug}).status_code == 404


def test_a_person_of_no_organisation_is_told_so(world: World) -> None:
    response = api(world.loner).get("/api/v1/jobs/")

    assert response.status_code == 403
    assert api(world.loner).get("/api/v1/orgs/").json() == {"items": [], "next_cursor": None}


def test_the_profile_changes_nothing_but_the_address(world: World) -> None:
    client = api(world.viewer)

    assert client.patch("/api/v1/auth/me/", {"email": "v@example.com"}).json()["email"] == "v@example.com"

    assert audited("auth.email").detail == {"old": "", "new": "v@example.com"}
    for field, value in {
        "username": "king",
        "role": "org_admin",
        "is_superuser": True,
        "is_staff": True,
        "is_platform_admin": True,
        "is_active": False,
        "active_org": "rival",
        "memberships": [],
        "password": "x",
        "id": 1,
    }.items():
        response = client.patch("/api/v1/auth/me/", {field: value})
        assert (field, response.status_code) == (field, 400)
    world.viewer.refresh_from_db()
    assert (world.viewer.username, world.viewer.is_superuser, world.viewer.is_staff) == ("viewer", False, False)
    assert world.viewer.check_password(PASSWORD)
    assert roles(world.org)["viewer"] == "viewer"


def test_platform_admins_find_users_and_organisations(world: World) -> None:
    client = api(world.platform_admin)
    make_user("grace", email="hopper@example.com")

    users = client.get("/api/v1/platform/users/?q=HOPPER").json()["items"]
    orgs = client.get("/api/v1/platform/orgs/?q=acm").json()["items"]

    assert [(user["username"], user["memberships"]) for user in users] == [("grace", [])]
    assert [(org["slug"], org["members"]) for org in orgs] == [("acme", 3)]
    everyone = client.get("/api/v1/platform/users/?limit=200").json()["items"]
    owner = next(user for user in everyone if user["username"] == "owner")
    assert owner["memberships"] == [{"org": "acme", "name": "Acme", "role": "org_admin"}]
    assert len(everyone) == 7


def test_platform_admins_weigh_organisations(world: World) -> None:
    client = api(world.platform_admin)

    response = client.patch("/api/v1/platform/orgs/acme/", {"weight": 3})

    assert (response.status_code, response.json()["weight"], response.json()["members"]) == (200, 3, 3)
    world.org.refresh_from_db()
    assert world.org.weight == 3
    assert AuditEntry.objects.get(action="org.weight").detail == {"old": {"weight": 1}, "new": {"weight": 3}}
    for weight in (0, -1, 1001, "3", None):
        assert client.patch("/api/v1/platform/orgs/acme/", {"weight": weight}).status_code == 400
    assert client.patch("/api/v1/platform/orgs/none/", {"weight": 3}).status_code == 404


@pytest.mark.parametrize("path", ["users", "orgs"])
def test_platform_lists_are_paged_and_take_any_words(
    world: World, path: str, django_assert_max_num_queries: Any
) -> None:
    client = api(world.platform_admin)
    url = f"/api/v1/platform/{path}/"

    with django_assert_max_num_queries(6):
        first = client.get(f"{url}?limit=1").json()

    assert len(first["items"]) == 1
    assert client.get(url, {"limit": 1, "cursor": first["next_cursor"]}).json()["items"] != first["items"]
    assert client.get(f"{url}?q=%00").status_code == 400
    assert client.get(f"{url}?q={'x' * 2_000}").status_code == 400
    assert client.get(f"{url}?q=%25' OR 1=1 --").json()["items"] == []
