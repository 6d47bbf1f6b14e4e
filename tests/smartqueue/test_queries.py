"""What a query may say: what is documented, and nothing else."""

import pytest

from tests.conftest import World
from tests.factories import api
from tests.jobs.api.refusals import assert_refused
from tests.smartqueue.test_openapi import OPERATIONS, Operation, parameters

NAMES = {"slug": "acme", "username": "viewer"}
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_parameter_that_is_not_documented_is_refused_and_one_that_is_is_known(
    world: World, operation: Operation
) -> None:
    client = api(world.platform_admin, world.org)
    path = operation.path
    for one in parameters(operation.says):
        path = path.replace(f"{{{one['name']}}}", NAMES.get(one["name"], "1"))
    call = getattr(client, operation.method)

    problem = assert_refused(call(f"{path}?wiat=1&limti=2"))
    assert [error["pointer"] for error in problem["errors"]] == ["/limti", "/wiat"]
    for one in parameters(operation.says):
        if one["in"] == "query":
            answer = call(f"{path}?{one['name']}=x")
            assert b"not known here" not in answer.content, one


def test_pages_keep_their_own_ways(world: World) -> None:
    assert api().get("/sign-in/?next=/&x=1").status_code == 200
    assert api().get("/api/v1/schema/?format=json&lang=en").status_code == 200
