"""One route asked by everybody, by every method; each time as if it were the first."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models.functions import Now
from django.http import HttpResponse

from orgs.declared import METHODS, Route, routes
from orgs.models import Org
from orgs.roles import OrgState
from tests.rights.bodies import BODIES, TAGS
from tests.rights.expected import CALLERS, ELSEWHERE, OPEN, Expected, expected
from tests.rights.things import CANARY

ROUTES = list(routes())
OF_ADMIN = [route for route in ROUTES if route.path.startswith("/admin/")]
OF_API = [route for route in ROUTES if route.is_api]
OF_PAGES = [route for route in ROUTES if not route.is_api and route not in OF_ADMIN]
# A refusal is written down, and nothing else is.
TRAIL = "orgs_auditentry"

# As pg_stat_xact_user_tables has it, without the joins to indexes that cost most of its time.
WRITES = """
SELECT relname, pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
  + pg_stat_get_xact_tuples_deleted(oid)
FROM pg_class WHERE relkind IN ('r', 'm', 'p') AND relnamespace = 'public'::regnamespace
"""

# By the name of a caller: what he asks the API with, and what the pages.
Clients = dict[str, tuple[Any, Any]]


def walk(route: Route, path: str, org: Org, clients: Clients) -> None:
    before = rows_of(org.pk)
    for method in METHODS:
        for caller in CALLERS:
            what = expected(route, method, caller)
            said = f"{method} {path} by {caller}: {what} expected"
            with undone():
                put(org, caller.state)
                counted = writes()
                answer = ask(clients[caller.client][0 if route.is_api else 1], method, route, path)
                assert_as_expected(answer, what, route, said)
                if what == ELSEWHERE:
                    assert rows_of(org.pk) == before, said
            if what not in {OPEN, ELSEWHERE}:
                assert written(counted, writes()) <= {TRAIL}, said
            if caller.stranger or caller.role is None:
                assert CANARY not in heard(answer, path), said


def put(org: Org, state: OrgState) -> None:
    rows = Org.objects.filter(pk=org.pk)
    if state == OrgState.SUSPENDED:
        rows.update(suspended_at=Now(), suspension_reason="unpaid")
    elif state == OrgState.CLOSING:
        rows.update(erase_at=Now() + timedelta(days=1), closed_at=Now())


def ask(client: Any, method: str, route: Route, path: str) -> HttpResponse:
    body = BODIES.get((method, str(route.pattern.name)))
    headers = {"if-match": tag} if (tag := TAGS.get((method, str(route.pattern.name)))) else {}
    if route.is_api:
        response: HttpResponse = getattr(client, method.lower())(path, body, headers=headers)
    elif method in {"GET", "POST"}:
        response = getattr(client, method.lower())(path, body or {}, headers=headers)
    else:
        response = getattr(client, method.lower())(path, headers=headers)
    if response.streaming:
        # read to its end it is closed as in a request; closed from here it would take the connection along
        b"".join(response)
    return response


@contextmanager
def undone() -> Iterator[None]:
    """Whatever it does is taken back, so that all find the same."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def writes() -> dict[str, int]:
    """Of each table how many rows this transaction has put in, changed or taken out so far."""
    with connection.cursor() as cursor:
        cursor.execute(WRITES)
        return dict(cursor.fetchall())


def rows_of(org_id: int) -> dict[str, str]:
    """Of each table a digest of an organisation's rows."""
    fields = [field for model in apps.get_models() for field in model._meta.concrete_fields if field.column == "org_id"]
    tables = {field.model._meta.db_table for field in fields}
    asked = [
        f"SELECT '{table}', md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} AS t WHERE org_id = {org_id}"  # noqa: S608
        for table in tables
        if table != TRAIL
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(asked))
        return dict(cursor.fetchall())


def assert_as_expected(answer: HttpResponse, what: Expected, route: Route, said: str) -> None:
    said += f", {answer.status_code} got: " + ("a file" if answer.streaming else repr(answer.content[:300]))
    if what in {OPEN, ELSEWHERE}:
        # the database of tests may lose what it acknowledges, and readyz says so
        assert answer.status_code < 500 or route.path == "/readyz", said
        # these two say 401 of what they are sent
        refused = {403, 405} if route.path in {"/api/v1/auth/refresh/", "/api/v1/auth/logout/"} else {401, 403, 405}
        if route.path == "/api/v1/job-views/<str:view_id>/":
            # one's own is one's own to change, and this one is all members'
            refused = {401, 405}
        assert answer.status_code not in refused, said
    elif isinstance(what, str):
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, what), said
    else:
        assert answer.status_code == what, said
        if route.is_api:
            assert answer["Content-Type"] == "application/problem+json", said
            assert json.loads(answer.content)["status"] == what, said


def written(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {name for name, rows in after.items() if rows != before.get(name)}


def heard(answer: HttpResponse, path: str) -> str:
    """What an answer tells, but for what was sent."""
    if answer.streaming:
        return ""
    return answer.content.decode().replace(path, "").replace(f"'{CANARY}'", "")
