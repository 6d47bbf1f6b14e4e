"""Every page and form, by every method, asked by everybody: each gets what the table of roles and actions says, and who
is refused has changed nothing.
"""

from typing import Any

import pytest

from tests.conftest import World
from tests.rights.things import path_of
from tests.rights.walk import OF_PAGES, Clients, Route, walk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]


@pytest.mark.parametrize("route", OF_PAGES, ids=lambda route: route.path)
def test_each_gets_what_the_table_says(world: World, acme: Any, clients: Clients, route: Route) -> None:
    walk(route, path_of(route.path, str(route.pattern.name), *acme), world.org, clients)
