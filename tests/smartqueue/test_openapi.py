"""The OpenAPI document: it is complete, it is what is committed, and what it shows is what happens."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from jobs.models import AlertRule, Artefact, Schedule
from jobs.queue.batches import enqueue_batch
from jobs.queue.enqueue import NewJob
from orgs.keys import create_key
from orgs.models import User
from orgs.scope import find_scope
from smartqueue import document as served
from tests.analytics.rows import make_process
from tests.conftest import World
from tests.factories import api, make_dead_letter, make_job, make_user, make_webhook

ROOT = Path(__file__).parent.parent.parent
METHODS = ("get", "put", "post", "delete", "patch")
WRITE_IT = "SMARTQUEUE_TESTING=1 python manage.py spectacular --file openapi.yaml"
ADD = {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}
# Paths about the document itself.
NOT_DOCUMENTED = {"/api/v1/schema/", "/api/v1/docs/"}


class Operation(NamedTuple):
    path: str
    method: str
    says: dict[str, Any]

    def __str__(self) -> str:
        return str(self.says["operationId"])

    def request_examples(self) -> dict[str, Any]:
        content = self.says.get("requestBody", {}).get("content", {}).get("application/json", {})
        return {name: example["value"] for name, example in content.get("examples", {}).items()}


def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return json.loads(json.dumps(found, default=str)) if found else {}


DOCUMENT = document()
OPERATIONS = [
    Operation(path, method, says)
    for path, methods in DOCUMENT["paths"].items()
    for method, says in methods.items()
    if method in METHODS
]
BY_ID = {str(operation): operation for operation in OPERATIONS}
EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
EXAMPLES = [
    pytest.param(operation, name, body, id=f"{operation}-{name}")
    for operation in OPERATIONS
    for name, body in operation.request_examples().items()
]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """A node, or what it refers to."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for segment in node["$ref"].removeprefix("#/").split("/"):
        found = found[segment]
    return dict(found)


def assert_fits(value: Any, schema: dict[str, Any]) -> None:
    """References start at the document's root, so the schema is given its components."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


# --- The document -----------------------------------------------------------------------------------------------


def test_the_committed_document_is_the_generated_one() -> None:
    generated = OpenApiYamlRenderer().render(
        SchemaGenerator().get_schema(request=None, public=True),  # type: ignore[no-untyped-call]
        renderer_context={},
    )

    committed = (ROOT / "openapi.yaml").read_bytes()
    assert committed == generated, (
        "write it anew: SMARTQUEUE_TESTING=1 python manage.py spectacular --file openapi.yaml"
    )


def test_it_is_valid_openapi_3_1_and_generated_without_a_warning(tmp_path: Path) -> None:
    complaints = io.StringIO()

    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "o.yaml"), stderr=complaints)

    assert complaints.getvalue() == ""
    assert yaml.safe_load((tmp_path / "o.yaml").read_text())["openapi"] == "3.1.1"


@pytest.mark.django_db
def test_it_is_served_to_everybody_as_yaml_and_json() -> None:
    as_yaml = Client().get("/api/v1/schema/")
    as_json = Client().get("/api/v1/schema/?format=json")

    assert yaml.safe_load(as_yaml.content)["paths"].keys() == json.loads(as_json.content)["paths"].keys()


def test_every_route_is_a_path_and_every_path_a_route() -> None:
    def served(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, str]]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from served(pattern.url_patterns, route)
            elif route.startswith("/api/") and route not in NOT_DOCUMENTED:
                view = pattern.callback.view_class
                for name, converter in pattern.pattern.converters.items():
                    kind = next(word for word in (f"<{name}>", f"<{type_word(converter)}:{name}>") if word in route)
                    route = route.replace(kind, f"{{{name}}}")
                yield from ((route, method) for method in METHODS if hasattr(view, method))

    routes = set(served(get_resolver().url_patterns, "/"))

    assert routes == {(operation.path, operation.method) for operation in OPERATIONS}


def type_word(converter: Any) -> str:
    word: str = type(converter).__name__.removesuffix("Converter").lower()
    return {"string": "str"}.get(word, word)


@EVERY_OPERATION
def test_every_operation_says_what_it_is_and_how_it_can_fail(operation: Operation) -> None:
    says, responses = operation.says, operation.says["responses"]
    secured = {} not in says.get("security", [{}])

    assert says["summary"]
    assert says["tags"][0] in {tag["name"] for tag in DOCUMENT["tags"]}
    assert any(status.startswith("2") for status in responses)
    assert {"500", "503", "406"} <= set(responses)
    assert ("401" in responses) or not secured
    assert ("requestBody" in says) == ("415" in responses) == ("413" in responses)
    asked = [one for one in parameters(says) if one["in"] == "query" or one["name"] == "Idempotency-Key"]
    assert ("400" in responses) == ("requestBody" in says or bool(asked))
    for status, response in responses.items():
        assert resolved(response)["description"] or status.startswith("2")
        if status >= "400":
            assert set(resolved(response)["content"]) == {"application/problem+json"}


def parameters(says: dict[str, Any]) -> list[dict[str, Any]]:
    return [resolved(parameter) for parameter in says.get("parameters", [])]


@EVERY_OPERATION
def test_every_parameter_of_a_path_is_described_once(operation: Operation) -> None:
    named = [parameter["name"] for parameter in parameters(operation.says) if parameter["in"] == "path"]

    assert sorted(named) == sorted(part[1:-1] for part in operation.path.split("/") if part.startswith("{"))


def test_operation_ids_are_unique() -> None:
    assert len(BY_ID) == len(OPERATIONS)


# --- Its examples -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "name", "body"), EXAMPLES)
def test_an_example_of_a_request_fits_its_own_schema(operation: Operation, name: str, body: Any) -> None:
    assert_fits(body, operation.says["requestBody"]["content"]["application/json"]["schema"])


@EVERY_OPERATION
def test_the_examples_of_answers_fit_their_schemas(operation: Operation) -> None:
    for response in operation.says["responses"].values():
        for content in resolved(response).get("content", {}).values():
            examples = [example["value"] for example in content.get("examples", {}).values()]
            for value in [*examples, *([content["example"]] if "example" in content else [])]:
                assert_fits(value, content["schema"])


Prepared = tuple[APIClient, dict[str, str]]


def as_operator(world: World, body: Any) -> Prepared:
    return api(world.operator), {}


def as_owner(world: World, body: Any) -> Prepared:
    return api(world.owner), {}


def as_nobody(world: World, body: Any) -> Prepared:
    return api(), {}


def with_account(world: World, body: Any) -> Prepared:
    User.objects.create_user(body["username"], password=body["password"])
    return api(), {}


def with_waiting_job(world: World, body: Any) -> Prepared:
    return api(world.operator), {"job_id": str(make_job(world.org).pk)}


def with_later_job(world: World, body: Any) -> Prepared:
    return api(world.operator), {"job_id": str(make_job(world.org, delay_seconds=3600).pk)}


def with_dead_letter(world: World, body: Any) -> Prepared:
    return api(world.operator), {"job_id": str(make_dead_letter(world.org).pk)}


def as_admin_of_any_version(world: World) -> Any:
    client = api(world.owner)
    client.credentials(**client._credentials, HTTP_IF_MATCH="*")
    return client


def with_queue(world: World, body: Any) -> Prepared:
    return as_admin_of_any_version(world), {"name": make_job(world.org).queue}


def with_batch(world: World, body: Any) -> Prepared:
    made = enqueue_batch([NewJob("python", ADD)], org=world.org, user=None)
    return api(world.operator), {"batch_id": str(made.batch_id)}


def with_artefact(world: World, body: Any) -> Prepared:
    made = Artefact.objects.create(org=world.org, name="a", content_type="a/b", size_bytes=1, sha256="x")
    return api(world.operator), {"artefact_id": str(made.pk)}


def of_acme(world: World, body: Any) -> Prepared:
    return api(world.owner), {"slug": world.org.slug}


def with_type(world: World, body: Any) -> Prepared:
    return api(world.owner), {"scope": "type", "name": "python"}


def with_secret_name(world: World, body: Any) -> Prepared:
    return api(world.owner), {"name": "mailgun"}


def as_admin(world: World, body: Any) -> Prepared:
    return api(world.owner), {}


def with_schedule(world: World, body: Any) -> Prepared:
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    schedule = Schedule.objects.create(org=world.org, name="s", cron="@daily", job=job)
    return as_admin_of_any_version(world), {"schedule_id": str(schedule.pk)}


def with_worker(world: World, body: Any) -> Prepared:
    return api(world.platform_admin, world.org), {"worker_id": str(make_process().pk)}


def with_webhook(world: World, body: Any) -> Prepared:
    return api(world.owner), {"webhook_id": str(make_webhook(world.org).pk)}


def with_rule(world: World, body: Any) -> Prepared:
    rule = AlertRule.objects.create(org=world.org, name="r", kind="latency", threshold=1)
    return api(world.owner), {"rule_id": str(rule.pk)}


def with_key(world: World, body: Any) -> Prepared:
    key, _ = create_key("k", scope=find_scope(world.owner, world.org.slug))
    return api(world.owner), {"key_id": key.prefix}


def with_guest(world: World, body: Any) -> Prepared:
    if "username" in body:
        make_user(body["username"])
    return api(world.owner), {"slug": world.org.slug}


def with_own_job(world: World, body: Any) -> Prepared:
    make_job(world.org, type="external", payload={"task": "resize"})
    client = APIClient()
    token = create_key("k", scope=find_scope(world.owner, world.org.slug))[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client, {}


def as_platform_admin(world: World, body: Any) -> Prepared:
    return api(world.platform_admin), {"slug": "acme"}


def with_password(world: World, body: Any) -> Prepared:
    return api(User.objects.create_user("ada", password=body["current_password"])), {}


def with_person(world: World, body: Any) -> Prepared:
    return api(world.platform_admin), {"username": make_user("ada").username}


def with_suspended(world: World, body: Any) -> Prepared:
    return api(world.platform_admin), {"username": make_user("ada", is_active=False).username}


# By operation: who asks, and what must be there. An operation with examples must have a line here.
PREPARATIONS: dict[str, Callable[[World, Any], Prepared]] = {
    "auth_login_create": with_account,
    "auth_register_create": as_nobody,
    "orgs_invitations_create": with_guest,
    "submit_job": as_operator,
    "submit_jobs": as_operator,
    "cancel_job": with_waiting_job,
    "change_job": with_waiting_job,
    "snooze_job": with_waiting_job,
    "run_job_now": with_later_job,
    "replay_job": with_dead_letter,
    "replay_jobs": as_operator,
    "start_bulk_operation": as_operator,
    "change_queue": with_queue,
    "pause_queue": with_queue,
    "close_queue": with_queue,
    "pause_kind": as_admin,
    "command_worker": with_worker,
    "set_limit": with_type,
    "set_secret": with_secret_name,
    "create_schedule": as_admin,
    "change_schedule": with_schedule,
    "create_webhook": as_admin,
    "change_webhook": with_webhook,
    "create_mail_alert": as_admin,
    "resend_failed_deliveries": with_webhook,
    "create_alert_rule": as_admin,
    "change_alert_rule": with_rule,
    "rotate_key": with_key,
    "create_job_view": as_operator,
    "submit_batch": as_operator,
    "link_artefact": with_artefact,
    "change_job_settings": of_acme,
    "set_categories": as_admin,
    "correct_job": with_waiting_job,
    "cancel_batch": with_batch,
    "predict_job": as_operator,
    "submit_task": as_operator,
    "create_key": as_operator,
    "create_worker_key": as_admin,
    "claim_external_jobs": with_own_job,
    "platform_change_org": as_platform_admin,
    "auth_me_destroy": with_password,
    "platform_remove_user": with_person,
    "platform_suspend_user": with_person,
    "platform_resume_user": with_suspended,
    "platform_suspend_org": as_platform_admin,
    "close_org": of_acme,
}


@pytest.mark.django_db
@pytest.mark.parametrize(("operation", "name", "body"), EXAMPLES)
def test_an_example_is_answered_as_documented(world: World, operation: Operation, name: str, body: Any) -> None:
    client, names = PREPARATIONS[str(operation)](world, body)

    response = getattr(client, operation.method)(operation.path.format(**names), body)

    good = [status for status in operation.says["responses"] if status.startswith("2")]
    assert str(response.status_code) in good, response.content
    documented = operation.says["responses"][str(response.status_code)]
    if response.status_code == 204:
        assert (response.content, "content" in documented) == (b"", False)
    else:
        assert_fits(response.json(), documented["content"]["application/json"]["schema"])


@pytest.mark.django_db
def test_it_is_made_once_and_nothing_that_is_asked_gets_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_made", {})
    made: list[str] = []
    whole = served.DocumentView.rendered

    def counted(view: served.DocumentView, renderer: Any) -> bytes:
        made.append(renderer.format)
        return whole(view, renderer)

    monkeypatch.setattr(served.DocumentView, "rendered", counted)
    asked = "/api/v1/schema/?format=json&version=evil&lang=de"

    first = Client().get(asked, headers={"Host": "localhost", "Accept-Language": "de"}).content
    again = Client().get("/api/v1/schema/?format=json").content

    assert made == ["json"]
    assert first == again
    assert b"evil" not in first
    assert json.loads(first) == json.loads(json.dumps(yaml.safe_load((ROOT / "openapi.yaml").read_text()), default=str))
