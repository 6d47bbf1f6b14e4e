"""Invitations over REST: to a person, to an address, and what becomes of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from orgs.models import AuditEntry, Invitation, Membership, Org, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import api, make_member, make_org, make_user

INVITATIONS = "/api/v1/orgs/acme/invitations/"


def invited(by: User, **body: Any) -> dict[str, Any]:
    response = api(by).post(INVITATIONS, {"role": "operator", **body})
    assert response.status_code == 201
    return dict(response.json())


def answer(user: User, invitation: dict[str, Any], noun: str = "acceptance", **body: Any) -> Any:
    return api(user).post(f"/api/v1/invitations/{invitation['id']}/{noun}/", body)


def role_of(user: User, org: Org) -> str | None:
    return Membership.objects.filter(user=user, org=org).values_list("role", flat=True).first()


def expire(invitation: dict[str, Any]) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Invitation.objects.filter(pk=invitation["id"]).update(expires_at=past)


@pytest.mark.django_db
def test_an_invitation_gives_nothing_until_it_is_accepted(world: World) -> None:
    invitation = invited(world.owner, username="loner")

    assert role_of(world.loner, world.org) is None
    assert (invitation["username"], invitation["email"], invitation["token"], invitation["url"]) == (
        "loner",
        "",
        "",
        "",
    )
    (offer,) = api(world.loner).get("/api/v1/invitations/").json()["items"]
    assert (offer["org"], offer["org_name"], offer["role"], offer["invited_by"]) == (
        "acme",
        "Acme",
        "operator",
        "owner",
    )

    response = answer(world.loner, offer)

    assert response.status_code == 201
    assert (response.json()["slug"], response.json()["role"], response.json()["active"]) == ("acme", "operator", True)
    assert role_of(world.loner, world.org) == "operator"
    assert api(world.loner).get("/api/v1/invitations/").json()["items"] == []
    acts = AuditEntry.objects.filter(action__startswith="invitation.").order_by("pk")
    assert [(entry.action, entry.actor_name, entry.org_id) for entry in acts] == [
        ("invitation.create", "owner", world.org.pk),
        ("invitation.accepted", "loner", world.org.pk),
    ]


@pytest.mark.django_db
def test_an_invitation_is_taken_only_once(world: World) -> None:
    invitation = invited(world.owner, email="someone@example.com")
    answer(world.loner, invitation, token=invitation["token"])

    response = answer(world.outsider, invitation, token=invitation["token"])

    assert response.status_code == 409
    assert role_of(world.outsider, world.org) is None


@pytest.mark.django_db(transaction=True)
def test_of_eight_people_with_one_link_exactly_one_joins() -> None:
    org = make_org("acme")
    invitation = invited(make_member(org, Role.ORG_ADMIN, "owner"), email="someone@example.com")
    people = [make_user() for _ in range(8)]
    start = Barrier(8)

    def race(user: User) -> int:
        try:
            start.wait(timeout=20)
            return int(answer(user, invitation, token=invitation["token"]).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(race, people))

    assert statuses == [201] + [409] * 7
    assert Membership.objects.filter(org=org).count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_org_admins_who_leave_at_once_one_stays() -> None:
    org = make_org("acme")
    admins = [make_member(org, Role.ORG_ADMIN) for _ in range(2)]
    start = Barrier(2)

    def race(user: User) -> int:
        try:
            start.wait(timeout=20)
            return int(api(user).delete("/api/v1/orgs/acme/membership/").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(race, admins))

    assert statuses == [204, 409]
    assert Membership.objects.filter(org=org, role=Role.ORG_ADMIN).count() == 1


@pytest.mark.django_db
def test_an_expired_invitation_is_worth_nothing(world: World) -> None:
    invitation = invited(world.owner, username="loner")
    expire(invitation)

    response = answer(world.loner, invitation)

    assert response.status_code == 409
    assert response.json()["type"] == "urn:smartqueue:problem:invitation_expired"
    assert role_of(world.loner, world.org) is None
    assert api(world.loner).get("/api/v1/invitations/").json()["items"] == []
    assert api(world.owner).get(INVITATIONS).json()["items"] == []


@pytest.mark.django_db
def test_an_expired_invitation_does_not_hinder_another(world: World) -> None:
    expire(invited(world.owner, username="loner"))

    assert answer(world.loner, invited(world.owner, username="loner")).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "x" * 43])
def test_an_invitation_to_an_address_needs_its_token(world: World, token: str) -> None:
    invitation = invited(world.owner, email="someone@example.com")

    assert answer(world.loner, invitation, token=token).status_code == 404
    assert answer(world.loner, invitation, "refusal", token=token).status_code == 404
    assert Invitation.objects.get().state == "pending"


@pytest.mark.django_db
def test_the_token_is_shown_once_and_kept_only_as_a_hash(world: World) -> None:
    invitation = invited(world.owner, email="someone@example.com")

    assert invitation["url"].endswith(f"/invitations/{invitation['id']}/?token={invitation['token']}")
    (listed,) = api(world.owner).get(INVITATIONS).json()["items"]
    assert listed["email"] == "someone@example.com"
    assert "token" not in listed
    stored = Invitation.objects.values().get()
    assert invitation["token"] not in str(stored)
    assert invitation["token"] not in str(list(AuditEntry.objects.values()))


@pytest.mark.django_db
def test_an_invitation_to_somebody_else_is_not_found(world: World) -> None:
    invitation = invited(world.owner, username="loner")

    assert answer(world.outsider, invitation).status_code == 404
    assert answer(world.outsider, invitation, "refusal", token="x").status_code == 404
    assert api(world.outsider).get("/api/v1/invitations/").json()["items"] == []


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["0", "999999999", "9" * 30, "9" * 2000, "-1", "x", "１"])
@pytest.mark.parametrize("noun", ["acceptance", "refusal"])
def test_an_invitation_that_is_none_is_not_found(world: World, number: str, noun: str) -> None:
    response = api(world.loner).post(f"/api/v1/invitations/{number}/{noun}/", {})

    assert response.status_code == 404
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_a_declined_invitation_is_closed(world: World) -> None:
    invitation = invited(world.owner, username="loner")

    assert answer(world.loner, invitation, "refusal").status_code == 204

    assert answer(world.loner, invitation).status_code == 409
    assert role_of(world.loner, world.org) is None
    assert invited(world.owner, username="loner")


@pytest.mark.django_db
def test_a_withdrawn_invitation_is_closed(world: World) -> None:
    invitation = invited(world.owner, username="loner")

    assert api(world.owner).delete(f"{INVITATIONS}{invitation['id']}/").status_code == 204

    assert answer(world.loner, invitation).status_code == 409
    assert api(world.owner).delete(f"{INVITATIONS}{invitation['id']}/").status_code == 409


@pytest.mark.django_db
def test_the_invitations_of_another_organisation_cannot_be_withdrawn(world: World) -> None:
    invitation = invited(world.owner, username="loner")

    response = api(world.outsider).delete(f"/api/v1/orgs/rival/invitations/{invitation['id']}/")

    assert response.status_code == 404
    assert Invitation.objects.get().state == "pending"


@pytest.mark.django_db
def test_a_former_org_admin_does_not_come_back_through_his_own_invitation(world: World) -> None:
    second = make_member(world.org, Role.ORG_ADMIN, "second")
    invitation = invited(second, email="second@example.com", role="org_admin")

    api(world.owner).delete("/api/v1/orgs/acme/members/second/")

    assert answer(second, invitation, token=invitation["token"]).status_code == 409
    assert role_of(second, world.org) is None


@pytest.mark.django_db
def test_a_member_does_not_change_his_role_by_an_invitation(world: World) -> None:
    assert api(world.owner).post(INVITATIONS, {"username": "viewer", "role": "org_admin"}).status_code == 409
    invitation = invited(world.owner, email="anyone@example.com", role="org_admin")

    assert answer(world.viewer, invitation, token=invitation["token"]).status_code == 409

    assert role_of(world.viewer, world.org) == "viewer"
    assert Invitation.objects.get().state == "pending"


@pytest.mark.django_db
def test_one_open_invitation_to_a_person_is_enough(world: World) -> None:
    invited(world.owner, username="loner")
    invited(world.owner, email="Someone@example.com")

    assert api(world.owner).post(INVITATIONS, {"username": "LONER", "role": "viewer"}).status_code == 409
    assert api(world.owner).post(INVITATIONS, {"email": "someone@example.com", "role": "viewer"}).status_code == 409


@pytest.mark.django_db
def test_accepting_a_second_organisation_does_not_move_a_person(world: World) -> None:
    api(world.outsider).post("/api/v1/orgs/rival/activation/")
    invitation = invited(world.owner, username="outsider", role="user")

    response = answer(world.outsider, invitation)

    assert (response.json()["role"], response.json()["active"]) == ("operator", False)
    assert api(world.outsider).get("/api/v1/auth/me/").json()["active_org"] == "rival"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "viewer"}, "/"),
        ({"username": "loner", "email": "l@example.com", "role": "viewer"}, "/"),
        ({"username": "nobody", "role": "viewer"}, "/username"),
        ({"username": "x" * 10_000, "role": "viewer"}, "/username"),
        ({"username": 5, "role": "viewer"}, "/username"),
        ({"email": "nonsense", "role": "viewer"}, "/email"),
        ({"email": "a@example.com\nBcc: b@example.com", "role": "viewer"}, "/email"),
        ({"username": "loner"}, "/role"),
        ({"username": "loner", "role": "owner"}, "/role"),
        ({"username": "loner", "role": "viewer", "state": "accepted"}, "/state"),
        ({"username": "loner", "role": "viewer", "token": "x"}, "/token"),
        ({"username": "loner", "role": "viewer", "org": "rival"}, "/org"),
        ({"username": "loner", "role": "viewer", "expires_at": "2099-01-01T00:00:00Z"}, "/expires_at"),
        ([{"username": "loner", "role": "viewer"}], "/"),
    ],
)
def test_bad_invitations_are_refused_by_field(world: World, body: Any, pointer: str) -> None:
    response = api(world.owner).post(INVITATIONS, body)

    assert response.status_code == 400
    assert pointer in {error["pointer"] or "/" for error in response.json()["errors"]}
    assert not Invitation.objects.exists()


@pytest.mark.django_db
def test_a_closed_account_is_not_invited(world: World) -> None:
    make_user("closed", is_active=False)

    assert api(world.owner).post(INVITATIONS, {"username": "closed", "role": "viewer"}).status_code == 400
