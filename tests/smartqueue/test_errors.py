"""Every error in one shape, and what becomes of a bug and of a lost database."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pytest_django.fixtures import Settings
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from jobs import errors as queue_errors
from jobs.durability import NotDurable
from orgs import errors as org_errors
from smartqueue.errors import STATUS_OF
from tests.conftest import World
from tests.factories import api, browser

ERRORS: dict[str, Exception] = {}


class Raises(APIView):
    """Raises what its path names."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request, name: str) -> Response:
        raise ERRORS[name]


def plain(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]


class Paths:
    """A URLconf: the same error raised inside DRF, in a plain view of the API, and in a page."""

    urlpatterns = (
        path("api/drf/<name>/", Raises.as_view()),
        path("api/plain/<name>/", plain),
        path("page/<name>/", plain),
    )
    handler400 = "smartqueue.errors.bad_request"
    handler403 = "smartqueue.errors.permission_denied"
    handler404 = "smartqueue.errors.not_found"
    handler500 = "smartqueue.errors.server_error"


@pytest.fixture
def raising(settings: Settings) -> Iterator[APIClient]:
    """A client of paths that raise what is put into ERRORS."""
    settings.ROOT_URLCONF = Paths
    yield APIClient(raise_request_exception=False)
    ERRORS.clear()


def problem_of(response: HttpResponse, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert list(body)[:7] == ["type", "title", "status", "detail", "instance", "request_id", "errors"]
    assert body["status"] == status
    assert body["request_id"] == response["X-Correlation-ID"]
    return body


# --- The shape --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (queue_errors.JobNotFound(), 404, "not_found"),
        (queue_errors.IllegalMove("The job is done."), 409, "illegal_move"),
        (queue_errors.LeaseLost(None), 409, "lease_lost"),  # type: ignore[arg-type]
        (queue_errors.NotLeader(), 409, "not_leader"),
        (queue_errors.KeyReused(), 422, "idempotency_key_reused"),
        (queue_errors.UnknownJobType("No such type."), 400, "unknown_job_type"),
        (org_errors.LastOrgAdmin(), 409, "last_org_admin"),
        (exceptions.ValidationError({"a": ["No."]}), 400, "validation"),
        (exceptions.ParseError(), 400, "parse_error"),
        (exceptions.NotAuthenticated(), 403, "not_authenticated"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotFound(), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported_media_type"),
        (exceptions.Throttled(wait=3), 429, "throttled"),
        (queue_errors.NoRoom(10, 10), 403, "org_quota_exceeded"),
        (org_errors.RateLimited(3, ["logins"]), 429, "quota_exceeded"),
        (PermissionDenied("Not you."), 403, "permission_denied"),
        (Http404(), 404, "not_found"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_in_a_view_is_a_problem(raising: APIClient, error: Exception, status: int, word: str) -> None:
    ERRORS["x"] = error

    body = problem_of(raising.get("/api/drf/x/"), status)

    assert body["type"] == f"urn:smartqueue:problem:{word}"
    assert body["detail"]
    assert body["instance"] == "/api/drf/x/"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404(), 404),
        (PermissionDenied(), 403),
        (SuspiciousOperation("/etc/passwd"), 400),
        (RequestDataTooBig("over"), 413),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_outside_drf_is_a_problem_too_and_tells_no_secret(
    raising: APIClient, error: Exception, status: int
) -> None:
    ERRORS["x"] = error

    body = problem_of(raising.get("/api/plain/x/"), status)

    assert "passwd" not in json.dumps(body)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_page_gets_a_page(raising: APIClient, status: int) -> None:
    ERRORS["x"] = {400: SuspiciousOperation(), 403: PermissionDenied("Not you."), 404: Http404()}[status]

    response = raising.get("/page/x/")

    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    assert response["X-Correlation-ID"] in response.content.decode()


def test_a_throttled_client_is_told_when_to_come_back(raising: APIClient) -> None:
    ERRORS["x"] = exceptions.Throttled(wait=3)

    assert raising.get("/api/drf/x/")["Retry-After"] == "3"


def test_every_error_of_the_queue_has_a_status() -> None:
    def below(kind: type[queue_errors.QueueError]) -> Iterator[type[queue_errors.QueueError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    assert set(below(queue_errors.QueueError)) == set(STATUS_OF)


# --- Fields -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("detail", "pointers"),
    [
        ({"name": ["No."]}, ["/name"]),
        ({"non_field_errors": ["No."]}, [""]),
        (["No."], [""]),
        ("No.", [""]),
        ({"jobs": {3: {"name": ["No.", "Never."]}}}, ["/jobs/3/name", "/jobs/3/name"]),
        ({"jobs": [{}, {"name": ["No."]}]}, ["/jobs/1/name"]),
        ({"jobs": {0: {"non_field_errors": ["No."]}}}, ["/jobs/0"]),
        ({"filter": {"queue": ["No."], "type": ["No."]}}, ["/filter/queue", "/filter/type"]),
        ({"a/b": ["No."], "c~d": ["No."], "e.f": ["No."]}, ["/a~1b", "/c~0d", "/e.f"]),
    ],
)
def test_a_field_is_named_by_its_json_pointer(raising: APIClient, detail: Any, pointers: list[str]) -> None:
    ERRORS["x"] = exceptions.ValidationError(detail)

    assert [error["pointer"] for error in raising.get("/api/drf/x/").json()["errors"]] == pointers


def test_the_queues_own_faults_name_their_fields(raising: APIClient) -> None:
    ERRORS["payload"] = queue_errors.InvalidPayload([("/argv/0", "Not allowed."), ("", "Too little.")])
    ERRORS["job"] = queue_errors.InvalidJob([("/name", "Too long.")])
    ERRORS["type"] = queue_errors.UnknownJobType("There is no such type.")

    found = {name: raising.get(f"/api/drf/{name}/").json()["errors"] for name in list(ERRORS)}

    assert found == {
        "payload": [
            {"pointer": "/payload/argv/0", "code": "invalid", "detail": "Not allowed."},
            {"pointer": "/payload", "code": "invalid", "detail": "Too little."},
        ],
        "job": [{"pointer": "/name", "code": "invalid", "detail": "Too long."}],
        "type": [{"pointer": "/type", "code": "unknown_job_type", "detail": "There is no such type."}],
    }


def test_no_more_faults_are_told_than_a_person_would_read(raising: APIClient) -> None:
    ERRORS["x"] = exceptions.ValidationError({str(number): ["No."] for number in range(1000)})

    assert len(raising.get("/api/drf/x/").json()["errors"]) == 50


# --- A bug ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("where", ["/api/drf/x/", "/api/plain/x/"])
def test_a_bug_is_a_500_with_a_request_id_and_one_line_in_the_log(
    raising: APIClient, settings: Settings, caplog: pytest.LogCaptureFixture, where: str, debug: bool
) -> None:
    settings.DEBUG = debug
    ERRORS["x"] = RuntimeError("the secret is 42")

    response = raising.get(where, headers={"X-Correlation-ID": "order-1"})

    body = problem_of(response, 500)
    assert body["request_id"] == "order-1"
    assert "secret" not in response.content.decode()
    (line,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert line.exc_info is not None
    assert str(line.exc_info[1]) == "the secret is 42"


def test_a_bug_in_a_page_shows_a_page_with_the_request_id(raising: APIClient) -> None:
    ERRORS["x"] = RuntimeError("the secret is 42")

    response = raising.get("/page/x/", headers={"X-Correlation-ID": "order-1"})

    assert response.status_code == 500
    assert "order-1" in response.content.decode()
    assert "secret" not in response.content.decode()


# --- The database is away ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [OperationalError("gone"), InterfaceError("closed")], ids=["operational", "interface"]
)
@pytest.mark.parametrize("where", ["/api/drf/x/", "/api/plain/x/"])
def test_a_lost_database_is_a_503_worth_asking_again(raising: APIClient, where: str, error: Exception) -> None:
    ERRORS["x"] = error

    response = raising.get(where)

    body = problem_of(response, 503)
    assert body["type"] == "urn:smartqueue:problem:database_away"
    assert response["Retry-After"] == "5"


def test_a_database_that_loses_what_it_acknowledges_is_not_served_from(raising: APIClient) -> None:
    refused = OperationalError("refused")
    refused.__cause__ = NotDurable(["fsync"])
    ERRORS["x"] = refused

    body = problem_of(raising.get("/api/drf/x/"), 503)

    assert (body["type"], body["detail"]) == ("urn:smartqueue:problem:database_not_durable", str(NotDurable(["fsync"])))


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody listens where the database is said to be."""
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    yield
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_server_that_refuses_connections_is_a_503_for_the_api_and_the_pages(
    world: World, request: pytest.FixtureRequest
) -> None:
    client, person = api(world.owner), browser(world.owner)
    request.getfixturevalue("no_database")

    answers = [
        client.get("/api/v1/jobs/"),
        client.post("/api/v1/jobs/", {"type": "python", "payload": {}}),
        person.get("/"),
    ]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer["Retry-After"] for answer in answers} == {"5"}
    assert problem_of(answers[0], 503)["type"] == "urn:smartqueue:problem:database_away"
    assert "The database is not answering" in answers[2].content.decode()


@pytest.mark.django_db(transaction=True)
def test_the_next_request_after_the_database_is_back_is_served(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = api(world.owner)
    connection.close()
    with monkeypatch.context() as away:
        away.setitem(connection.settings_dict, "PORT", "1")
        away.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        assert client.get("/api/v1/jobs/").status_code == 503

    assert client.get("/api/v1/jobs/").status_code == 200


def test_a_form_without_its_token_is_refused_in_words() -> None:
    response = Client(enforce_csrf_checks=True).post("/theme/", {"theme": "dark"})

    assert response.status_code == 403
    assert "Reload the page" in response.content.decode()
