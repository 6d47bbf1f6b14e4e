"""Members over REST: roles, removal, leaving."""

from typing import Any

import pytest

from orgs.models import AuditEntry, Org, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import api, make_member

pytestmark = pytest.mark.django_db


def roles(org: Org) -> dict[str, str]:
    return dict(org.memberships.values_list("user__username", "role"))


def audited(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


def test_members_are_listed_with_their_roles(world: World) -> None:
    items = api(world.viewer).get("/api/v1/orgs/acme/members/").json()["items"]

    assert {item["username"]: item["role"] for item in items} == {
        "owner": "org_admin",
        "operator": "operator",
        "viewer": "viewer",
    }


def test_a_change_of_role_counts_at_once_for_tokens_already_out(world: World) -> None:
    client = api(world.viewer)
    assert client.get("/api/v1/orgs/acme/invitations/").status_code == 403

    api(world.owner).patch("/api/v1/orgs/acme/members/viewer/", {"role": "org_admin"})

    assert client.get("/api/v1/orgs/acme/invitations/").status_code == 200
    assert audited("member.role").detail == {"old": "viewer", "new": "org_admin"}


def test_a_removal_counts_at_once_for_tokens_already_out(world: World) -> None:
    client = api(world.operator)
    assert client.get("/api/v1/orgs/acme/").status_code == 200

    response = api(world.owner).delete("/api/v1/orgs/acme/members/operator/")

    assert response.status_code == 204
    assert client.get("/api/v1/orgs/acme/").status_code == 404
    assert client.get("/api/v1/auth/me/").json()["memberships"] == []
    entry = audited("member.remove")
    assert (entry.org_id, entry.actor, entry.target, entry.detail) == (
        world.org.pk,
        world.owner,
        "operator",
        {"old": "operator"},
    )


def test_user_is_another_word_for_operator(world: World) -> None:
    response = api(world.owner).patch("/api/v1/orgs/acme/members/viewer/", {"role": "user"})

    assert response.json()["role"] == "operator"
    assert roles(world.org)["viewer"] == "operator"


@pytest.mark.parametrize(
    "body", [{}, {"role": "god"}, {"role": ""}, {"role": None}, {"role": ["viewer"]}, {"role": "viewer", "user": 1}, []]
)
def test_a_role_we_do_not_know_is_refused(world: World, body: Any) -> None:
    response = api(world.owner).patch("/api/v1/orgs/acme/members/viewer/", body)

    assert response.status_code == 400
    assert roles(world.org)["viewer"] == "viewer"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "members/owner/", {"role": "operator"}),
        ("delete", "members/owner/", None),
        ("delete", "membership/", None),
    ],
)
def test_the_last_org_admin_stays(world: World, method: str, path: str, body: Any) -> None:
    response = getattr(api(world.owner), method)(f"/api/v1/orgs/acme/{path}", body)

    assert response.status_code == 409
    assert response.json()["type"] == "urn:smartqueue:problem:last_org_admin"
    assert roles(world.org)["owner"] == "org_admin"


def test_an_org_admin_whose_account_is_closed_does_not_count_as_one(world: World) -> None:
    closed = make_member(world.org, Role.ORG_ADMIN, "closed")
    User.objects.filter(pk=closed.pk).update(is_active=False)

    assert api(world.owner).delete("/api/v1/orgs/acme/membership/").status_code == 409


def test_an_org_admin_may_leave_when_there_is_another(world: World) -> None:
    make_member(world.org, Role.ORG_ADMIN, "second")

    assert api(world.owner).delete("/api/v1/orgs/acme/membership/").status_code == 204

    assert "owner" not in roles(world.org)
    assert audited("member.leave").target == "owner"


@pytest.mark.parametrize(
    "username", ["nobody", "outsider", "%00", "a%2Fb", "x" * 100, "vi ewer", "%EF%BD%81%EF%BD%82c"]
)
def test_a_member_who_is_none_is_not_found(world: World, username: str) -> None:
    path = f"/api/v1/orgs/acme/members/{username}/"

    assert api(world.owner).patch(path, {"role": "viewer"}).status_code == 404
    assert api(world.owner).delete(path).status_code == 404
