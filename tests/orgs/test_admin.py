"""Django's admin: for platform admins, and the trail knows."""

from typing import Any

import pytest

from orgs.models import AuditEntry, Invitation, Membership, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import browser, make_org, make_user

pytestmark = pytest.mark.django_db

SECTIONS = ["org", "user", "membership", "invitation", "auditentry"]


@pytest.fixture
def rows(world: World) -> dict[str, int]:
    """One row of each kind."""
    invitation = Invitation.objects.create(
        org=world.org, user=world.loner, role=Role.VIEWER, expires_at="2099-01-01T00:00:00Z"
    )
    entry = AuditEntry.objects.create(action="org.create", actor_name="owner")
    membership = Membership.objects.get(user=world.viewer)
    return {
        "org": world.org.pk,
        "user": world.viewer.pk,
        "membership": membership.pk,
        "invitation": invitation.pk,
        "auditentry": entry.pk,
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_a_platform_admin_sees_every_section(world: World, rows: dict[str, int], section: str) -> None:
    client = browser(world.platform_admin)

    assert client.get(f"/admin/orgs/{section}/?q=o").status_code == 200
    assert client.get(f"/admin/orgs/{section}/{rows[section]}/change/").status_code == 200


@pytest.mark.parametrize("path", ["/admin/", "/admin/orgs/org/", "/admin/orgs/auditentry/", "/admin/nothing/"])
def test_nobody_else_finds_anything_there(world: World, path: str) -> None:
    staff = make_user("staff", is_staff=True)

    for user in (world.owner, staff):
        assert browser(user).get(path, follow=True).status_code == 404


def test_the_anonymous_sign_in_on_the_one_page_for_it(world: World) -> None:
    response = browser().get("/admin/orgs/org/", follow=True)

    assert response.redirect_chain[-1][0] == "/sign-in/?next=/admin/orgs/org/"


@pytest.mark.parametrize("section", ["invitation", "auditentry"])
def test_invitations_and_the_trail_are_only_to_be_read(world: World, rows: dict[str, int], section: str) -> None:
    client = browser(world.platform_admin)

    assert client.get(f"/admin/orgs/{section}/add/").status_code == 403
    assert client.post(f"/admin/orgs/{section}/{rows[section]}/change/", {"role": "org_admin"}).status_code == 403
    assert client.post(f"/admin/orgs/{section}/{rows[section]}/delete/", {"post": "yes"}).status_code == 403
    assert Invitation.objects.get().role == "viewer"
    assert AuditEntry.objects.filter(pk=rows["auditentry"]).exists()


@pytest.mark.parametrize("section", ["org", "user"])
def test_organisations_and_people_are_not_deleted_there(world: World, rows: dict[str, int], section: str) -> None:
    client = browser(world.platform_admin)

    assert client.post(f"/admin/orgs/{section}/{rows[section]}/delete/", {"post": "yes"}).status_code == 403


def post(world: World, path: str, **fields: Any) -> None:
    assert browser(world.platform_admin).post(f"/admin/orgs/{path}", fields).status_code == 302


def test_changes_there_are_in_the_trail(world: World, rows: dict[str, int]) -> None:
    post(world, f"membership/{rows['membership']}/change/", org=world.org.pk, user=world.viewer.pk, role="operator")
    post(world, f"membership/{rows['membership']}/delete/", post="yes")

    changed, deleted = AuditEntry.objects.filter(action__startswith="admin.").order_by("pk")
    assert (changed.action, changed.actor, changed.org_id, changed.detail) == (
        "admin.change",
        world.platform_admin,
        world.org.pk,
        {"old": {"role": "viewer"}, "new": {"role": "operator"}},
    )
    assert (deleted.action, deleted.org_id) == ("admin.delete", world.org.pk)
    assert not Membership.objects.filter(user=world.viewer).exists()


def test_deleting_several_at_once_is_in_the_trail_too(world: World) -> None:
    chosen = list(
        Membership.objects.filter(org=world.org, role__in=["viewer", "operator"]).values_list("pk", flat=True)
    )

    post(world, "membership/", action="delete_selected", _selected_action=chosen, post="yes")

    assert AuditEntry.objects.filter(action="admin.delete").count() == 2
    assert Membership.objects.filter(org=world.org).count() == 1


def test_a_platform_admin_adds_people_and_sets_passwords_that_no_trail_holds(world: World) -> None:
    secret = "a wholly other phrase"
    post(world, "user/add/", username="made", password1=secret, password2=secret, usable_password="true")
    made = User.objects.get(username="made")
    post(world, f"user/{made.pk}/password/", password1=secret + "!", password2=secret + "!", usable_password="true")

    made.refresh_from_db()
    assert made.check_password(secret + "!")
    assert secret not in str(list(AuditEntry.objects.values()))


def test_renaming_an_organisation_there_keeps_its_rules(world: World) -> None:
    org = make_org("third")

    response = browser(world.platform_admin).post(
        f"/admin/orgs/org/{org.pk}/change/", {"slug": "Not A Slug", "name": "Third", "shell_programs": "[]"}
    )

    assert response.status_code == 200
    org.refresh_from_db()
    assert org.slug == "third"
