"""Nobody gives himself what is not his to give: each call that takes fields, sent those of every model besides."""

from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.urls import resolve

from tests.conftest import World
from tests.rights.bodies import BODIES, TAGS
from tests.rights.things import ADD, path_of
from tests.rights.walk import TRAIL, Clients, writes, written
from tests.smartqueue.test_openapi import OPERATIONS, Operation, resolved

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]

NAMES = sorted(
    {
        name
        for model in apps.get_models()
        if model._meta.app_label in {"orgs", "jobs"}
        for field in model._meta.concrete_fields
        for name in (field.name, field.attname)
    }
)
# What would be worth having, with values that would be taken.
WORTH_HAVING: dict[str, Any] = {
    "id": "01900000-0000-7000-8000-000000000000",
    "org": "rival",
    "org_id": 1,
    "role": "org_admin",
    "is_staff": True,
    "is_superuser": True,
    "is_active": True,
    "active_org": "rival",
    "memberships": [{"org": "rival", "role": "org_admin"}],
    "user": "owner",
    "created_by": "owner",
    "created_by_id": 1,
    "status": "done",
    "attempt": 0,
    "attempt_limit": 1_000,
    "lease_token": str(UUID(int=1)),
    "lease_expires_at": "2099-01-01T00:00:00Z",
    "priority": 0.99,
    "rank_offset": -1e9,
    "predicted_ms": 1,
    "weight": 1_000,
    "secret_sha256": "0" * 64,
    "__proto__": {"is_superuser": True},
}


def schema_of(operation: Operation) -> dict[str, Any]:
    content = operation.says.get("requestBody", {}).get("content", {}).get("application/json", {})
    return resolved(content.get("schema", {}))


TAKERS = [one for one in OPERATIONS if schema_of(one).get("type") == "object"]
EVERY_TAKER = pytest.mark.parametrize("operation", TAKERS, ids=str)


def taker(operation: Operation, acme: Any) -> tuple[str, Any, dict[str, str]]:
    """Its path, what it would take, and the headers that it wants."""
    pattern = operation.path.replace("{", "<").replace("}", ">")
    names, own = acme
    # which route it is does not hang on the names in it
    name = str(resolve(operation.path.replace("{id}", "1").replace("{", "").replace("}", "")).url_name)
    key = (operation.method.upper(), name)
    return path_of(pattern, name, names, own), BODIES.get(key) or {}, {"if-match": TAGS[key]} if key in TAGS else {}


def whose(operation: Operation) -> list[str]:
    """Who sends it: first the one who may."""
    if operation.path.startswith("/api/v1/worker/"):
        return ["worker's key", "operator"]
    if operation.path.startswith("/api/v1/platform/"):
        return ["platform_admin", "org_admin"]
    return ["org_admin", "operator", "viewer", "org_admin's key", "nobody"]


def test_the_list_is_of_every_call_that_takes_fields() -> None:
    takers = {str(one) for one in TAKERS}
    assert {"submit_job", "submit_jobs", "auth_register_create", "orgs_members_partial_update", "create_key"} <= takers
    assert len(takers) >= 30
    assert len(NAMES) > 200


@EVERY_TAKER
def test_what_it_does_not_know_is_refused_and_changes_nothing(
    acme: Any, clients: Clients, operation: Operation
) -> None:
    path, body, headers = taker(operation, acme)
    strangers = [name for name in NAMES if name not in schema_of(operation).get("properties", {})]
    assert strangers
    before = writes()
    for number, name in enumerate(whose(operation)):
        client, _ = clients[name]
        sent = body | {field: WORTH_HAVING.get(field, 1) for field in strangers}

        response = getattr(client, operation.method)(path, sent, headers=headers)

        allowed = {400} if number == 0 else {400, 401, 403}
        assert response.status_code in allowed, (name, response.content)
        if response.status_code == 400:
            assert {error["code"] for error in response.json()["errors"]} >= {"unknown"}
    assert written(before, writes()) <= {TRAIL}


@EVERY_TAKER
def test_what_is_worth_having_is_named_and_not_given(acme: Any, clients: Clients, operation: Operation) -> None:
    path, body, headers = taker(operation, acme)
    client, _ = clients[whose(operation)[0]]
    before = writes()
    for field, value in WORTH_HAVING.items():
        if field in schema_of(operation).get("properties", {}):
            continue
        response = getattr(client, operation.method)(path, body | {field: value}, headers=headers)

        assert response.status_code == 400, (field, response.content)
        named = {error["pointer"] for error in response.json()["errors"] if error["code"] == "unknown"}
        assert named == {f"/{field}"}
    assert written(before, writes()) == set()


NESTED: dict[str, Any] = {
    "/api/v1/jobs/bulk/": lambda job: {"jobs": [job]},
    "/api/v1/batches/": lambda job: {"jobs": [job]},
    "/api/v1/schedules/": lambda job: {"name": "s", "cron": "@daily", "job": job},
}


@pytest.mark.parametrize("field", WORTH_HAVING)
@pytest.mark.parametrize("path", NESTED)
def test_nor_in_a_job_inside_of_something(world: World, clients: Clients, path: str, field: str) -> None:
    client, _ = clients["org_admin"]
    before = writes()

    response = client.post(path, NESTED[path](ADD | {field: WORTH_HAVING[field]}))

    assert response.status_code == (207 if "bulk" in path else 400)
    assert f"/{field}" in response.content.decode()
    assert written(before, writes()) == set()
