"""The slash at the end of an API path."""

import pytest

from tests.conftest import World
from tests.factories import PASSWORD, api


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/auth/login/"])
def test_a_post_reaches_its_view_with_and_without_it(world: World, path: str) -> None:
    response = api().post(path, {"username": "owner", "password": PASSWORD})

    assert response.status_code == 200, response.content
    assert set(response.json()) >= {"access", "refresh", "user"}
