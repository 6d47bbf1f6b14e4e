"""What nobody should send, to every call that takes a body: 4xx in the one shape or done as asked, never a 5xx."""

import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import hypothesis
import pytest
from django.db import transaction
from django.http import HttpResponse
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.conftest import World
from tests.factories import api, make_done, make_webhook
from tests.smartqueue.test_openapi import (
    OPERATIONS,
    PREPARATIONS,
    Operation,
    as_owner,
    parameters,
    resolved,
    with_own_job,
)

pytestmark = pytest.mark.django_db

JSON = "application/json"
TAKERS = [operation for operation in OPERATIONS if JSON in operation.says.get("requestBody", {}).get("content", {})]
OTHERS = {"send_artefact", "upload_artefact"}
EVERY_TAKER = pytest.mark.parametrize("operation", TAKERS, ids=str)
# Bodies that are not JSON objects we keep.
BROKEN: dict[str, bytes] = {
    "nothing": b"{",
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "raw nul": b'{"a": "\0"}',
    "nul": b'{"name": "\\u0000"}',
    "nul in a key": b'{"\\u0000": 1}',
    "half a pair": b'{"name": "\\ud800"}',
    "NaN": b'{"name": NaN}',
    "1e400": b'{"name": 1e400}',
    "5,000 digits": b'{"name": ' + b"9" * 5_000 + b"}",
    "no UTF-8": b'{"name": "\xff"}',
    "UTF-16": '{"name": 1}'.encode("utf-16"),
    "deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a key twice": b'{"name": 1, "name": 2}',
    "100,000 keys": json.dumps({f"k{number}": 1 for number in range(100_000)}).encode(),
    "a key of a megabyte": json.dumps({"k" * 1_000_000: 1}).encode(),
    "__proto__": b'{"__proto__": {"admin": true}, "constructor": 1}',
    "13 MB": b'{"name": "' + b"x" * 13_000_000 + b'"}',
    "a gzip bomb": gzip.compress(b" " * 10_000_000),
}
# Put into every field of a good body in turn.
VALUES: list[Any] = [
    *("", " ", "👩‍👩‍👧‍👦\u202eevil\u200b", "x" * 20_000, "'; DROP TABLE jobs_job; --", "{{secret:x}}", "../../etc"),
    *("__proto__", "%00", "9999-12-31T23:59:59-12:00", "10000-01-01T00:00:00Z", "infinity", "1e400", "\x1b[31m"),
    *(-1, 0, 2**31, 2**63, 10**300, 1.5, 1e308, True, None, [], {}, [None], [[]], {"": ""}),
]  # fmt: skip
# Into one of them only, for the time it takes.
HEAVY: list[Any] = ["x" * 1_000_000, "ﷺ" * 100_000, [{}] * 1_001, ["x"] * 10_000, {"k" * 100_000: 1}]
HEADERS = {
    "an override": {"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE", "X-HTTP-Method": "DELETE"},
    "compressed": {"Content-Encoding": "gzip"},
    "10,000 headers": {f"X-{number}": "x" for number in range(10_000)},
    "a host of others": {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "\x01", "Forwarded": "for=x"},
    "an organisation that is none": {"X-Org": "\u202e"},
    "versions of nobody": {"If-Match": '"' * 5_000, "If-None-Match": ","},
    "a key without end": {"Idempotency-Key": "k" * 3_000},
    "a key that is none": {"Idempotency-Key": "\x01"},
    "a bad wish": {"Prefer": "wait=" + "9" * 3_000},
}
KINDS = ["application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]


def prepared(world: World, operation: Operation) -> tuple[APIClient, str]:
    """Who may make this call, and its path with what is there, or at least could be."""
    body = next(iter(operation.request_examples().values()), {})
    client, names = PREPARATIONS.get(str(operation), standing(operation))(world, body)
    client.raise_request_exception = False
    path = operation.path
    for one in parameters(operation.says):
        path = path.replace(f"{{{one['name']}}}", str(names.get(one["name"], "1")))
    return client, path


def standing(operation: Operation) -> Callable[[World, Any], tuple[APIClient, dict[str, str]]]:
    """For calls without an example."""
    if operation.path.startswith("/api/v1/worker/"):
        return lambda world, body: (with_own_job(world, body)[0], {"lease": "x"})
    return lambda world, body: (as_owner(world, body)[0], {"slug": world.org.slug, "user_id": str(world.viewer.pk)})


def send(
    client: APIClient, operation: Operation, path: str, data: bytes, kind: str = JSON, **headers: str
) -> HttpResponse:
    """In a transaction of its own that is undone, so that each is sent to the same world."""
    with transaction.atomic():
        response: HttpResponse = client.generic(
            operation.method.upper(), path, data, content_type=kind, headers=headers
        )
        transaction.set_rollback(True)
    return response


def assert_well(response: HttpResponse, what: str) -> None:
    assert response.status_code < 500, (what, response.status_code, response.content[:300])
    if response.status_code >= 400:
        assert response["Content-Type"] == "application/problem+json", (what, response.content[:300])
        assert json.loads(response.content)["status"] == response.status_code


def good_body(operation: Operation) -> dict[str, Any]:
    """An example, else what its schema asks for at least."""
    examples = operation.request_examples()
    return dict(max(examples.values(), key=len)) if examples else {}


def fields(operation: Operation) -> dict[str, Any]:
    return dict(resolved(operation.says["requestBody"]["content"][JSON]["schema"]).get("properties", {}))


@EVERY_TAKER
def test_a_body_that_is_no_object_we_keep_is_refused(world: World, operation: Operation) -> None:
    client, path = prepared(world, operation)

    for what, body in BROKEN.items():
        response = send(client, operation, path, body)
        assert_well(response, what)
        assert response.status_code >= 400, what


@EVERY_TAKER
def test_any_value_in_any_field_is_refused_or_taken(world: World, operation: Operation) -> None:
    client, path = prepared(world, operation)

    for number, name in enumerate([*fields(operation), "unknown"]):
        for value in [*VALUES, *([] if number else HEAVY)]:
            data = json.dumps({**good_body(operation), name: value}).encode()
            assert_well(send(client, operation, path, data), f"{name}: {value!r:.60}")


@EVERY_TAKER
def test_headers_that_mean_harm_change_nothing(world: World, operation: Operation) -> None:
    client, path = prepared(world, operation)
    data = json.dumps(good_body(operation)).encode()

    for what, headers in HEADERS.items():
        assert_well(send(client, operation, path, data, **headers), what)
    for kind in KINDS:
        response = send(client, operation, path, data, kind)
        assert_well(response, kind)
        assert response.status_code >= 400


# --- Made up from the document --------------------------------------------------------------------------------------


def like(schema: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """What a schema allows, more or less; with a little that it does not."""
    schema = resolved(schema)
    if "enum" in schema:
        return st.sampled_from([*schema["enum"], "none of these"])
    for word in ("oneOf", "anyOf", "allOf"):
        if word in schema:
            return st.one_of([like(one, depth) for one in schema[word]])
    kind = schema.get("type", "object")
    kinds = kind if isinstance(kind, list) else [kind]
    return st.one_of([of_kind(one, schema, depth) for one in kinds])


def of_kind(kind: str, schema: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if kind == "object" and schema.get("properties") and depth < 3:
        required = set(schema.get("required", []))
        inner = {name: like(one, depth + 1) for name, one in schema["properties"].items()}
        return st.fixed_dictionaries(
            {name: one for name, one in inner.items() if name in required},
            optional={name: one for name, one in inner.items() if name not in required},
        )
    if kind == "array" and depth < 3:
        return st.lists(like(schema.get("items", {}), depth + 1), max_size=3)
    numbers = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum")}
    return {
        "string": st.one_of(
            st.text(max_size=80), st.datetimes().map(lambda one: f"{one.isoformat()}Z"), st.uuids().map(str)
        ),
        "integer": st.one_of(st.integers(**numbers), st.integers()),
        "number": st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }.get(kind, st.dictionaries(st.text(max_size=10), json_values(), max_size=3))


def json_values() -> st.SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    return st.recursive(
        plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    )


@EVERY_TAKER
def test_whatever_fits_the_schema_is_answered_as_documented(world: World, operation: Operation) -> None:
    client, path = prepared(world, operation)
    documented = set(operation.says["responses"])
    schema = operation.says["requestBody"]["content"][JSON]["schema"]

    @hypothesis.settings(max_examples=15, database=None)
    @given(like(schema))
    def answered(body: Any) -> None:
        response = send(client, operation, path, json.dumps(body).encode())
        assert_well(response, repr(body)[:500])
        assert str(response.status_code) in documented, (response.status_code, response.content[:300])

    answered()


READERS = [operation for operation in OPERATIONS if any(one["in"] == "query" for one in parameters(operation.says))]


@pytest.mark.parametrize("operation", READERS, ids=str)
def test_whatever_a_query_says_is_answered_as_documented(world: World, operation: Operation) -> None:
    job = make_done(world.org)
    hook = make_webhook(world.org)
    client = api(world.platform_admin, world.org)
    path = (
        operation.path.replace("{job_id}", str(job.pk)).replace("{webhook_id}", str(hook.pk)).replace("{slug}", "acme")
    )
    named = {one["name"]: one["schema"] for one in parameters(operation.says) if one["in"] == "query"}

    @hypothesis.settings(max_examples=15, database=None)
    @given(st.fixed_dictionaries({}, optional={name: like(schema) for name, schema in named.items() if name != "wait"}))
    def answered(query: dict[str, Any]) -> None:
        response = client.generic(operation.method.upper(), path, QUERY_STRING=encoded(query))
        assert_well(response, repr(query))
        assert str(response.status_code) in operation.says["responses"], response.content[:300]

    answered()


def encoded(query: dict[str, Any]) -> str:
    return urlencode({name: str(value) for name, value in query.items()}, errors="replace")


def test_what_takes_no_json_is_known() -> None:
    others = {str(operation) for operation in OPERATIONS if "requestBody" in operation.says} - set(map(str, TAKERS))

    # they take files, as they are
    assert others == OTHERS
