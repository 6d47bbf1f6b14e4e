"""Acme with one of everything, and somebody of each kind to ask for it."""

import shutil
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import override_settings
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken

from orgs.models import ApiKey, Membership, User
from orgs.roles import Role
from tests.conftest import World
from tests.factories import api, browser, make_key, make_user, with_key
from tests.rights.things import Names, make_jobs, make_people
from tests.rights.walk import Clients

Things = tuple[Names, dict[str, Names]]


@dataclass
class Once:
    """Of a module: acme's things, the folder of its files, and those who ask."""

    things: Things
    folder: Path
    clients: Clients


@pytest.fixture(scope="module")
def one_acme(one_world: World, tmp_path_factory: pytest.TempPathFactory) -> Once:
    """acme() and clients() made once for a module whose tests take back what they do."""
    folder = tmp_path_factory.mktemp("media")
    with pytest.MonkeyPatch.context() as patch:
        # as long as the module may take
        patch.setattr(AccessToken, "lifetime", timedelta(days=1))
        with override_settings(MEDIA_ROOT=str(folder)):
            names = make_people(one_world)
            shared, own = make_jobs(one_world)
        return Once((shared | names, own), folder, make_clients(one_world))


@pytest.fixture
def acme(world: World, settings: Settings, tmp_path: Path, request: pytest.FixtureRequest) -> Things:
    settings.MEDIA_ROOT = str(tmp_path)
    settings.METRICS_TOKEN = "t" * 32
    if "one_acme" in request.fixturenames:
        once: Once = request.getfixturevalue("one_acme")
        shutil.copytree(once.folder, tmp_path, dirs_exist_ok=True)
        return deepcopy(once.things)
    names = make_people(world)
    shared, own = make_jobs(world)
    return shared | names, own


@pytest.fixture
def clients(world: World, request: pytest.FixtureRequest) -> Clients:
    """By the name of a caller: what he asks the API with, and what the pages."""
    if "one_acme" in request.fixturenames:
        once: Once = request.getfixturevalue("one_acme")
        found = {name: (fresh(of_api), fresh(of_pages)) for name, (of_api, of_pages) in once.clients.items()}
    else:
        found = make_clients(world)
    # or the first use of a key would be noted
    ApiKey.objects.update(last_used_at=Now())
    return found


def fresh(client: Any) -> Any:
    """Another with the same token or cookies: a test may change its own."""
    new: Any = type(client)(raise_request_exception=False)
    new.cookies = deepcopy(client.cookies)
    if isinstance(client, APIClient):
        new.credentials(**client._credentials)
    return new


def make_clients(world: World) -> Clients:
    removed, suspended = make_user("removed"), make_user("suspended")
    members = [Membership(org=world.org, user=one, role=Role.ORG_ADMIN) for one in (removed, suspended)]
    Membership.objects.bulk_create(members)
    User.objects.filter(pk=world.platform_admin.pk).update(active_org=world.org)
    people = {"viewer": world.viewer, "operator": world.operator, "org_admin": world.owner, "loner": world.loner}
    people |= {"stranger": world.outsider, "removed": removed, "suspended": suspended}
    people |= {"platform_admin": world.platform_admin}
    found: Clients = {name: (api(person), browser(person)) for name, person in people.items()}
    tokens = {f"{role}'s key": make_key(world.owner, world.org, role) for role in (*Role, "worker")}
    tokens["stranger's key"] = make_key(world.outsider, world.rival, Role.ORG_ADMIN)
    for maker in (removed, suspended):
        tokens[f"{maker}'s key"] = make_key(maker, world.org, Role.ORG_ADMIN)
    tokens["platform admin's key"] = make_key(world.platform_admin, world.org, Role.ORG_ADMIN)
    found |= {name: (with_key(token), with_key(token)) for name, token in tokens.items()}
    members[0].delete()
    User.objects.filter(pk=suspended.pk).update(is_active=False)
    return found | {"nobody": (api(), browser())}
