"""What the documentation says about accounts and organisations is so."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests.factories import api

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def examples(content: Any) -> list[Any]:
    return [example["value"] for example in content["application/json"]["examples"].values()]


def test_the_examples_of_register_and_login_work(schema: Any) -> None:
    register, login = (schema["paths"][f"/api/v1/auth/{name}/"]["post"] for name in ("register", "login"))
    (new,), (known,) = (examples(operation["requestBody"]["content"]) for operation in (register, login))

    registered = api().post("/api/v1/auth/register/", new)
    signed_in = api().post("/api/v1/auth/login/", known)

    assert (registered.status_code, signed_in.status_code) == (201, 200)
    for answer, operation in ((registered, register), (signed_in, login)):
        (shown,) = examples(operation["responses"][str(answer.status_code)]["content"])
        told = answer.json()
        assert told.keys() == shown.keys()
        assert {**told["user"], "id": 0} == {**shown["user"], "id": 0}


def test_public_operations_ask_for_no_token_and_the_others_do(schema: Any) -> None:
    open_to_all = {
        path
        for path, operations in schema["paths"].items()
        if path.startswith(("/api/v1/auth/", "/api/v1/orgs/", "/api/v1/invitations/", "/api/v1/platform/"))
        for operation in operations.values()
        if {"bearer": []} not in operation["security"]
    }

    assert open_to_all == {f"/api/v1/auth/{name}/" for name in ("register", "login", "refresh", "logout")}
    for path in open_to_all:
        assert "403" not in schema["paths"][path]["post"]["responses"]


def test_requests_are_documented_to_take_no_other_fields(schema: Any) -> None:
    names = ("Register", "Login", "RefreshToken", "Password", "OrgName", "Invite", "Answer")

    for name in names:
        assert schema["components"]["schemas"][f"{name}Request"]["additionalProperties"] is False
