"""Acme with one of everything, and somebody of each kind to ask for it."""

from typing import Any

import pytest
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from orgs.models import ApiKey, Membership, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import api, browser, make_key, make_user, with_key
from tests.rights.things import Names, make_jobs, make_people
from tests.rights.walk import Clients


@pytest.fixture
def acme(world: World, settings: Settings, tmp_path: Any) -> tuple[Names, dict[str, Names]]:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.METRICS_TOKEN = "t" * 32
    names = make_people(world)
    shared, own = make_jobs(world)
    return shared | names, own


@pytest.fixture
def clients(world: World) -> Clients:
    """By the name of a caller: what he asks the API with, and what the pages."""
    removed, suspended = make_user("removed"), make_user("suspended")
    members = [Membership(org=world.org, user=one, role=Role.ORG_ADMIN) for one in (removed, suspended)]
    Membership.objects.bulk_create(members)
    User.objects.filter(pk=world.platform_admin.pk).update(active_org=world.org)
    people = {"viewer": world.viewer, "operator": world.operator, "org_admin": world.owner, "loner": world.loner}
    people |= {"stranger": world.outsider, "removed": removed, "suspended": suspended}
    people |= {"platform_admin": world.platform_admin}
    found = {name: (api(person), browser(person)) for name, person in people.items()}
    tokens = {f"{role}'s key": make_key(world.owner, world.org, role) for role in (*Role, "worker")}
    tokens["stranger's key"] = make_key(world.outsider, world.rival, Role.ORG_ADMIN)
    for maker in (removed, suspended):
        tokens[f"{maker}'s key"] = make_key(maker, world.org, Role.ORG_ADMIN)
    tokens["platform admin's key"] = make_key(world.platform_admin, world.org, Role.ORG_ADMIN)
    found |= {name: (with_key(token), with_key(token)) for name, token in tokens.items()}
    members[0].delete()
    User.objects.filter(pk=suspended.pk).update(is_active=False)
    # or the first use of a key would be noted
    ApiKey.objects.update(last_used_at=Now())
    return found | {"nobody": (api(), browser())}
