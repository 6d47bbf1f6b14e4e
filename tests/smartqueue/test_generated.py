"""Every operation of the document, asked with what the document allows and with what it does not: the answer is one
that the document tells of. What is sent is made from the document, so a new operation is tried by being there.
"""

import re
from collections.abc import Mapping
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from django.db import connection
from hypothesis import HealthCheck, given
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import World
from tests.factories import api
from tests.rights.conftest import acme, clients, one_acme
from tests.rights.test_mass_assignment import taker, whose
from tests.rights.walk import Clients, undone
from tests.smartqueue.test_openapi import DOCUMENT, EVERY_OPERATION, Operation

__all__ = ["acme", "clients", "one_acme"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_acme")]
# Tokens are ours to send; an address may be too long before it is wrong; and of many jobs each is refused by itself.
CONFIG = schemathesis.Config.from_dict(
    {
        "generation": {"with-security-parameters": False},
        "checks": {"negative_data_rejection": {"expected-statuses": ["4xx", 207]}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
SETTINGS = hypothesis.settings(
    max_examples=8, database=None, derandomize=True, phases=[hypothesis.Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
REQUEST = {"method", "url", "headers", "files", "data", "json", "params", "cookies"}


def names_in(pattern: str, path: str) -> dict[str, str]:
    """The path's parameters, as an operation calls them."""
    found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+)", re.escape(pattern)), path)
    return found.groupdict() if found else {}


def sent(client: Any, case: schemathesis.Case, headers: dict[str, str]) -> schemathesis.Response:
    """Through Django's test client, and undone."""
    kwargs = case.as_transport_kwargs(base_url="http://testserver", headers=headers)
    kwargs = {name: value for name, value in kwargs.items() if name in REQUEST}
    request = requests.Request(**kwargs).prepare()
    body = request.body.encode() if isinstance(request.body, str) else request.body or b""
    with undone():
        kind, told = request.headers.get("Content-Type", ""), dict(request.headers)
        answer = client.generic(request.method, request.path_url, body, kind, headers=told)
        content = b"".join(answer) if answer.streaming else answer.content
    answered = {name.lower(): [value] for name, value in answer.headers.items()}
    return schemathesis.Response(answer.status_code, answered, content, request, 0.0, True)


def soon(case: schemathesis.Case) -> schemathesis.Case:
    """The case without a wish to wait: nobody would end the wait."""
    for where, name in ((case.query, "wait"), (case.headers, "Prefer"), (case.body, "wait_seconds")):
        if isinstance(where, (dict, Mapping)):
            where.pop(name, None)
    return case


@EVERY_OPERATION
def test_it_is_answered_as_documented(world: World, acme: Any, clients: Clients, operation: Operation) -> None:
    path, _, tag = taker(operation, acme)
    client, _ = clients[whose(operation)[0]]
    headers = {"Authorization": client._credentials["HTTP_AUTHORIZATION"], "X-Org": "acme", **tag}
    asked = SCHEMA[operation.path][operation.method.upper()]
    with connection.cursor() as cursor:
        # it takes a while to think up what to send
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")

    @SETTINGS
    @given(asked.as_strategy(GenerationMode.POSITIVE, path_parameters=names_in(operation.path, path) or None))
    def allowed(case: schemathesis.Case) -> None:
        case.validate_response(sent(client, soon(case), headers), checks=CHECKS)

    @SETTINGS
    @given(asked.as_strategy(GenerationMode.NEGATIVE))
    def not_allowed(case: schemathesis.Case) -> None:
        wrong = [where for where, how in case.meta.components.items() if how.mode == GenerationMode.NEGATIVE]
        # a correlation id that is none is replaced
        must_refuse = [] if wrong == [ParameterLocation.HEADER] else [negative_data_rejection]
        case.validate_response(sent(client, soon(case), headers), checks=[*CHECKS, *must_refuse])

    @SETTINGS
    @given(asked.as_strategy(GenerationMode.POSITIVE))
    def by_nobody(case: schemathesis.Case) -> None:
        case.validate_response(sent(api(), soon(case), {}), checks=CHECKS)

    allowed()
    by_nobody()
    if any(asked.iter_parameters()) or asked.body:
        not_allowed()
