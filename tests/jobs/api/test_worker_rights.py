"""Who may make a worker's calls: a good key of the organisation, and nobody else; and a key makes no other call."""

import json
import re
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from jobs.api.worker_urls import urlpatterns
from jobs.models import Artefact, Attempt, Job, Lease, LogLine
from orgs.models import AuditEntry
from tests.conftest import World
from tests.factories import api, make_key, with_key
from tests.jobs.api.own import WORKER, Own, make_external
from tests.jobs.api.refusals import assert_refused
from tests.jobs.api.test_bad_bodies import BODIES, CONTENT_TYPES
from tests.jobs.api.test_documented import fits

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

BODY: dict[str, Any] = {
    "api-worker-claims": {"worker": "w-2", "queues": ["default"]},
    "api-worker-departure": {"worker": "w-1"},
    "api-worker-renewal": {},
    "api-worker-finish": {"result": 1},
    "api-worker-failure": {"error": "x"},
    "api-worker-release": {},
    "api-worker-log": {"lines": [{"text": "x"}]},
    "api-worker-artefacts": None,
}
EVERY_ROUTE = pytest.mark.parametrize("route", BODY)


@pytest.fixture(scope="module")
def one_key(one_world: World) -> str:
    return make_key(one_world.owner, one_world.org)


@pytest.fixture
def own(one_key: str) -> Own:
    """A worker of acme's own."""
    return Own(one_key)


@pytest.fixture
def lease(world: World, own: Own) -> str:
    make_external(world.org)
    make_external(world.org)
    return str(own.one()["lease"])


def address(route: str, lease: str) -> str:
    (pattern,) = [one for one in urlpatterns if one.name == route]
    return WORKER + str(pattern.pattern).replace("<str:lease>", lease) + ("?name=a" if "artefacts" in route else "")


def ask(client: APIClient, route: str, lease: str) -> Any:
    return client.post(address(route, lease), BODY[route] or {})


def rows() -> list[Any]:
    return [
        list(Lease.objects.order_by("pk").values("job_id", "token", "expires_at", "progress")),
        list(Job.objects.order_by("pk").values("pk", "status", "attempt")),
        Attempt.objects.count() + LogLine.objects.count() + Artefact.objects.count(),
    ]


def test_every_route_is_in_the_table() -> None:
    assert {str(pattern.name) for pattern in urlpatterns} == BODY.keys()


@EVERY_ROUTE
@pytest.mark.parametrize("person", ["owner", "operator", "viewer", "outsider", "loner", "platform_admin"])
def test_no_person_may_make_the_calls_of_a_worker(world: World, lease: str, route: str, person: str) -> None:
    before, who = rows(), getattr(world, person)

    assert_refused(ask(api(who), route, lease), 403)
    assert_refused(ask(api(who, world.org), route, lease), 403)

    assert rows() == before
    assert AuditEntry.objects.filter(action="access.denied", actor=who).count() == 2


@EVERY_ROUTE
@pytest.mark.parametrize(
    "token",
    ["", "sq_live_", "sq_live_0_0", "sq_live_{prefix}_", "sq_live_{prefix}_0", "sq_live_{prefix}_{secret}0",
     "sq_live_{prefix}_{secret}" + "0" * 10_000, "sq_test_{prefix}_{secret}", "sq_live_\x00_x", "sq_live_ü_x"],
)  # fmt: skip
def test_no_other_token_opens_them(world: World, own: Own, lease: str, route: str, token: str) -> None:
    good = str(own.client._credentials["HTTP_AUTHORIZATION"]).removeprefix("Bearer sq_live_")
    prefix, _, secret = good.partition("_")
    before = rows()

    response = ask(with_key(token.format(prefix=prefix, secret=secret)) if token else api(), route, lease)

    assert_refused(response, 401)
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert rows() == before


@EVERY_ROUTE
def test_only_post_is_answered(lease: str, own: Own, route: str) -> None:
    for method in ("get", "put", "patch", "delete"):
        assert_refused(getattr(own.client, method)(address(route, lease)), 405)


def paths(patterns: list[URLPattern | URLResolver], prefix: str = "/") -> list[str]:
    found = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        found += paths(pattern.url_patterns, route) if isinstance(pattern, URLResolver) else [route]
    return found


def api_paths() -> list[str]:
    """Every path of the API that asks who calls, but for the calls of workers."""
    open_to_all = {"/api/v1/schema/", "/api/v1/docs/"}
    served = [path for path in paths(get_resolver().url_patterns) if path.startswith("/api/")]
    return [path for path in served if path not in open_to_all and not path.startswith(("/api/v1/auth/", WORKER))]


@pytest.mark.parametrize("path", [*api_paths(), "/api/v1/auth/me/"])
def test_a_workers_key_opens_nothing_else(world: World, own: Own, path: str) -> None:
    path = re.sub(r"<[^>]*:id>", "1", path).replace("<slug:slug>", "acme")
    path = re.sub(r"<[^>]*>", "0190", path)

    for method in ("get", "post", "put", "patch", "delete"):
        response = getattr(own.client, method)(path, {})
        assert response.status_code == 403, (method, path)
        assert response.json()["type"] == "urn:smartqueue:problem:permission_denied"


def test_a_key_opens_no_page(world: World, own: Own) -> None:
    assert own.client.get("/jobs/").status_code == 302


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_json_we_keep_is_refused_everywhere(own: Own, lease: str, body: bytes) -> None:
    before = rows()

    for route in BODY.keys() - {"api-worker-artefacts"}:
        assert_refused(own.client.generic("POST", address(route, lease), body, content_type="application/json"))

    assert rows() == before


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_only_application_json_is_read(own: Own, lease: str, content_type: str) -> None:
    before = rows()

    for route, body in BODY.items():
        if body is not None:
            sent = json.dumps(body or {"x": 1}).encode()
            response = own.client.generic("POST", address(route, lease), sent, content_type=content_type)
            assert_refused(response, 415)

    assert rows() == before


def test_answers_are_as_documented(world: World, own: Own, lease: str, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    job = {"lease": lease}

    other = own.claim()
    assert fits("claim_external_jobs", other)["jobs"]
    fits("renew_lease", own.say(job, "renewal"))
    fits("log_lease", own.say(job, "log", {"lines": [{"text": "x"}]}))
    assert own.upload(job, "a", b"x").status_code == 201
    fits("upload_artefact", own.upload(job, "a", b"x"))
    fits("upload_artefact", own.upload(job, "a", b"y"))
    fits("finish_lease", own.say(job, "finish"))
    fits("fail_lease", own.say(job, "failure", {"error": "x"}))
    fits("release_lease", own.say(other.json()["jobs"][0], "release"))
    fits("release_lease", own.say({"lease": "x"}, "release"))
    fits("claim_external_jobs", api(world.owner).post(f"{WORKER}claims/", BODY["api-worker-claims"]))
