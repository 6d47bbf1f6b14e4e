"""People are removed at the same moment as others are, or act."""

import pytest

from orgs import accounts, membership, removal
from orgs.errors import AccountClosed, LastOfOrganisations, LastPlatformAdmin
from orgs.membership import invite
from orgs.models import Membership, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.concurrency import Background, at_once, elsewhere, waiting_for_locks
from tests.conftest import World
from tests.eventually import eventually
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_last_platform_admins_one_stays(world: World) -> None:
    second = make_user("second", is_superuser=True)

    outcomes = at_once(
        lambda: removal.remove(world.platform_admin, actor=world.platform_admin),
        lambda: removal.suspend(second, actor=second),
    )

    assert sorted(map(type, outcomes), key=str) == sorted([LastPlatformAdmin, type(None)], key=str)
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


def test_of_two_last_org_admins_one_stays(world: World) -> None:
    second = make_member(world.org, Role.ORG_ADMIN)

    outcomes = at_once(*(lambda one=one: removal.remove(one, actor=one) for one in (world.owner, second)))

    assert sorted(map(type, outcomes), key=str) == sorted([LastOfOrganisations, type(None)], key=str)
    assert Membership.objects.filter(org=world.org, role=Role.ORG_ADMIN, user__is_active=True).count() == 1


@pytest.mark.parametrize("act", ["accept", "found", "email", "password"])
def test_who_is_removed_meanwhile_gets_nothing_back(world: World, act: str) -> None:
    """A request that began before, and comes to write after."""
    person = world.loner
    invitation, _ = invite(scope=find_scope(world.owner, "acme"), role=Role.VIEWER, person=person)
    stale = User.objects.get(pk=person.pk)
    acts = {
        "accept": lambda: membership.accept(invitation.pk, user=stale),
        "found": lambda: membership.create_org("Late", user=stale),
        "email": lambda: accounts.change_email(stale, "late@example.com"),
        "password": lambda: accounts.change_password(stale, "a wholly other phrase"),
    }
    with elsewhere() as session:
        session.execute("SELECT FROM orgs_user WHERE id = %s FOR NO KEY UPDATE", [person.pk])
        first = Background(lambda: removal.remove(person, actor=person))
        eventually(lambda: waiting_for_locks() == 1)
        late = Background(acts[act])
        eventually(lambda: waiting_for_locks() == 2)

    assert first.result() is None
    assert isinstance(late.result(), AccountClosed)
    row = User.objects.get(pk=person.pk)
    assert (row.username, row.email, row.has_usable_password()) == (f"removed-{person.pk}", "", False)
    assert not Membership.objects.filter(user=person).exists()
