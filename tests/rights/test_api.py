"""Every route of the API, by every method, asked by everybody: each gets what the table of roles and actions says, and
who is refused has changed nothing.
"""

from typing import Any

import pytest

from orgs.roles import Action
from tests.conftest import World
from tests.rights.things import path_of
from tests.rights.walk import OF_API, Clients, Route, ask, undone, walk, writes, written

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]

EVERY_ROUTE = pytest.mark.parametrize("route", OF_API, ids=lambda route: route.path)


@EVERY_ROUTE
def test_each_gets_what_the_table_says(world: World, acme: Any, clients: Clients, route: Route) -> None:
    walk(route, path_of(route.path, str(route.pattern.name), *acme), world.org, clients)


@EVERY_ROUTE
def test_a_stranger_who_names_acme_finds_nothing(acme: Any, clients: Clients, route: Route) -> None:
    path = path_of(route.path, str(route.pattern.name), *acme)
    for method, need in route.needs.items():
        for name in ("stranger", "stranger's key", "loner", "removed"):
            if not isinstance(need, Action):
                continue
            client, _ = clients[name]
            client.credentials(**{**client._credentials, "HTTP_X_ORG": "acme"})
            before = writes()
            with undone():
                assert ask(client, method, route, path).status_code == 404, (method, path, name)
            assert written(before, writes()) == set()
