"""Who may call what: every route and method of the jobs' API, with every kind of person."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import URLPattern
from pytest_django.fixtures import Settings

from jobs.api.urls import urlpatterns
from jobs.models import (
    Alert,
    AlertRule,
    Artefact,
    Batch,
    Delivery,
    Job,
    Label,
    Lease,
    Limit,
    ModelVersion,
    Pause,
    Queue,
    Ready,
    SavedView,
    Schedule,
    Subscriber,
    Transition,
)
from orgs.models import Org, Secret
from orgs.roles import Action, Role, can
from tests.conftest import World
from tests.factories import api
from tests.rights.things import ADD, CANARY, make_jobs, make_view, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_world")]

HOURLY: dict[str, Any] = {"name": "hourly", "cron": "@hourly", "job": ADD}
HOOK = {"url": "https://example.com/hook"}
RULE = {"name": "waits", "kind": "latency", "threshold": 300}
PLATFORM = None


@dataclass(frozen=True)
class Call:
    """One method of one route: the right it needs and what it answers to those who have it.

    `stranger` is what the org_admin of another organisation gets: 404 where the path names a thing of ours,
    else an answer about his own organisation.
    """

    method: str
    route: str
    action: Action | None
    good: int = 200
    stranger: int = 404
    body: Any = None
    # Sent as If-Match.
    tag: str = ""
    query: str = ""
    # Of a thing that is the caller's own.
    own: bool = False
    # It is about the caller's membership, and a platform admin has none here.
    member: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


CALLS = [
    Call("POST", "api-jobs", Action.SUBMIT, good=201, stranger=201, body=ADD),
    Call("GET", "api-jobs", Action.READ, stranger=200),
    Call("POST", "api-jobs-bulk", Action.SUBMIT, stranger=200, body={"jobs": [ADD]}),
    Call("POST", "api-jobs-replay", Action.REPLAY, stranger=200, body={"filter": {}}),
    Call("GET", "api-job", Action.READ),
    Call("DELETE", "api-job", Action.DELETE, good=204),
    Call("GET", "api-bulk-operations", Action.READ, stranger=200),
    Call("POST", "api-bulk-operations", Action.CANCEL, good=202, stranger=202, body={"kind": "cancel", "filter": {}}),
    Call("GET", "api-bulk-operation", Action.READ),
    Call("GET", "api-bulk-operation-outcomes", Action.READ),
    Call("POST", "api-bulk-operation-stop", Action.CANCEL),
    Call("POST", "api-job-change", Action.CHANGE, body={"urgency": "high", "queue": "elsewhere"}),
    Call("POST", "api-job-snooze", Action.CHANGE, body={"seconds": 60}),
    Call("POST", "api-job-run-now", Action.CHANGE, body={}),
    Call("POST", "api-job-cancellation", Action.CANCEL, body={}),
    Call("POST", "api-job-replay", Action.REPLAY, body={}),
    Call("POST", "api-job-classification", Action.CLASSIFY, body={"category": "Network", "urgency": "high"}),
    Call("GET", "api-job-attempts", Action.READ),
    Call("GET", "api-job-transitions", Action.READ),
    Call("GET", "api-job-logs", Action.READ),
    Call("GET", "api-job-artefacts", Action.READ),
    Call("GET", "api-job-artefact", Action.READ),
    Call("GET", "api-job-audit", Action.SEE_AUDIT),
    Call("GET", "api-audit", Action.SEE_AUDIT, stranger=200),
    Call("GET", "api-audit-export", Action.SEE_AUDIT, stranger=200, query="?form=csv"),
    Call("GET", "api-artefacts", Action.READ, stranger=200),
    Call("POST", "api-artefacts", Action.SUBMIT, good=201, stranger=201, body={"any": "bytes"}),
    Call("GET", "api-artefact", Action.READ),
    Call("DELETE", "api-artefact", Action.SUBMIT, good=204),
    Call("GET", "api-artefact-content", Action.READ),
    Call("POST", "api-artefact-links", Action.SUBMIT, good=201, body={}),
    Call("POST", "api-batches", Action.SUBMIT, good=201, stranger=201, body={"jobs": [ADD]}),
    Call("GET", "api-batches", Action.READ, stranger=200),
    Call("GET", "api-batch", Action.READ),
    Call("POST", "api-batch-cancellation", Action.CANCEL, body={}),
    Call("GET", "api-dead-letters", Action.READ, stranger=200),
    Call("GET", "api-errors", Action.READ, stranger=200),
    Call("GET", "api-error", Action.READ),
    Call("GET", "api-job-views", Action.READ, stranger=200),
    Call("POST", "api-job-views", Action.READ, good=201, stranger=201, body={"name": "A", "query": ""}, member=True),
    Call("GET", "api-job-view", Action.READ),
    Call("PATCH", "api-job-view", Action.READ, body={"first": True}, member=True),
    Call("DELETE", "api-job-view", Action.READ, good=204, own=True),
    Call("GET", "api-job-types", Action.READ, stranger=200),
    Call("GET", "api-queues", Action.READ, stranger=200),
    Call("GET", "api-queue", Action.READ),
    Call("PATCH", "api-queue", Action.PAUSE, body={"policy": "fifo"}, tag="*"),
    Call("POST", "api-queue-pause", Action.PAUSE, body={}),
    Call("DELETE", "api-queue-pause", Action.PAUSE),
    Call("POST", "api-queue-closing", Action.PAUSE, body={}),
    Call("DELETE", "api-queue-closing", Action.PAUSE),
    Call("GET", "api-pauses", Action.READ, stranger=200),
    Call("POST", "api-pauses", Action.PAUSE, good=201, stranger=201, body={"type": "shell"}),
    Call("DELETE", "api-pause", Action.PAUSE, good=204),
    Call("GET", "api-schedules", Action.READ, stranger=200),
    Call("POST", "api-schedules", Action.MANAGE_SCHEDULES, good=201, stranger=201, body=HOURLY),
    Call("GET", "api-schedule", Action.READ),
    Call("PATCH", "api-schedule", Action.MANAGE_SCHEDULES, body={"is_paused": True}, tag="*"),
    Call("DELETE", "api-schedule", Action.MANAGE_SCHEDULES, good=204, tag="*"),
    Call("POST", "api-schedule-run", Action.SUBMIT, good=201),
    Call("GET", "api-schedule-ticks", Action.READ),
    Call("GET", "api-limits", Action.READ, stranger=200),
    Call("PUT", "api-limit", Action.MANAGE_LIMITS, stranger=201, body={"max_running": 1}),
    Call("DELETE", "api-limit", Action.MANAGE_LIMITS, good=204),
    Call("GET", "api-webhooks", Action.MANAGE_WEBHOOKS, stranger=200),
    Call("POST", "api-webhooks", Action.MANAGE_WEBHOOKS, good=201, stranger=201, body=HOOK),
    Call("GET", "api-webhook", Action.MANAGE_WEBHOOKS),
    Call("PATCH", "api-webhook", Action.MANAGE_WEBHOOKS, body={"active": False}),
    Call("DELETE", "api-webhook", Action.MANAGE_WEBHOOKS, good=204),
    Call("POST", "api-webhook-secret", Action.MANAGE_WEBHOOKS),
    Call("POST", "api-webhook-test", Action.MANAGE_WEBHOOKS, good=202),
    Call("GET", "api-webhook-deliveries", Action.MANAGE_WEBHOOKS),
    Call("POST", "api-webhook-resend", Action.MANAGE_WEBHOOKS, good=202),
    Call("GET", "api-webhook-delivery", Action.MANAGE_WEBHOOKS),
    Call("POST", "api-webhook-resend-failed", Action.MANAGE_WEBHOOKS, body={"since": "2026-01-31T12:00:00Z"}),
    Call("GET", "api-alert-rules", Action.MANAGE_WEBHOOKS, stranger=200),
    Call("POST", "api-alert-rules", Action.MANAGE_WEBHOOKS, good=201, stranger=201, body=RULE),
    Call("GET", "api-alert-rule", Action.MANAGE_WEBHOOKS),
    Call("PATCH", "api-alert-rule", Action.MANAGE_WEBHOOKS, body={"is_paused": True}),
    Call("DELETE", "api-alert-rule", Action.MANAGE_WEBHOOKS, good=204),
    Call("POST", "api-alert-rule-test", Action.MANAGE_WEBHOOKS, good=202),
    Call("GET", "api-alerts", Action.MANAGE_WEBHOOKS, stranger=200),
    Call("GET", "api-mail-alerts", Action.MANAGE_WEBHOOKS, stranger=200),
    Call("POST", "api-mail-alerts", Action.MANAGE_WEBHOOKS, good=201, stranger=201, body={"address": "a@example.com"}),
    Call("GET", "api-mail-alert", Action.MANAGE_WEBHOOKS),
    Call("DELETE", "api-mail-alert", Action.MANAGE_WEBHOOKS, good=204),
    Call("POST", "api-mail-alert-test", Action.MANAGE_WEBHOOKS, good=202),
    Call("GET", "api-secrets", Action.SUBMIT, stranger=200),
    Call("PUT", "api-secret", Action.MANAGE_SECRETS, stranger=201, body={"value": "hunter2"}),
    Call("DELETE", "api-secret", Action.MANAGE_SECRETS, good=204),
    Call("POST", "api-predict", Action.READ, stranger=200, body=ADD),
    Call("GET", "api-model", Action.READ, stranger=200),
    Call("POST", "api-model-promote", Action.MANAGE_MODEL),
    Call("POST", "api-model-rollback", Action.MANAGE_MODEL, stranger=409),
    Call("GET", "api-classifier", Action.READ, stranger=200),
    Call("PUT", "api-classifier-categories", Action.MANAGE_ORG, stranger=200, body={"categories": ["A", "B"]}),
    Call("POST", "api-tasks", Action.SUBMIT, good=201, stranger=201, body=ADD),
    Call("GET", "api-tasks", Action.READ, stranger=200),
    Call("GET", "api-task", Action.READ),
    Call("GET", "api-platform-jobs", PLATFORM, stranger=403),
]
EVERY_CALL = pytest.mark.parametrize("call", CALLS, ids=str)


@pytest.fixture(scope="module")
def one_acme(one_world: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Acme's things, and the folder of their files."""
    folder = tmp_path_factory.mktemp("media")
    with override_settings(MEDIA_ROOT=str(folder)):
        return folder, make_jobs(one_world)


@pytest.fixture
def paths(one_acme: tuple[Path, Any], settings: Settings, tmp_path: Path) -> dict[str, str]:
    """By route: the path that names acme's things."""
    settings.MEDIA_ROOT = str(tmp_path)
    folder, things = one_acme
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return {str(one.name): path_of(f"/api/v1/{one.pattern}", str(one.name), *things) for one in urlpatterns}


def ask(call: Call, path: str, person: Any = None, org: Org | None = None) -> HttpResponse:
    client = api(person, org)
    response: HttpResponse = getattr(client, call.method.lower())(
        path + call.query, call.body, headers=headers_of(call)
    )
    if isinstance(response, StreamingHttpResponse):
        # read to its end it is closed, with the test's connection left open
        return HttpResponse(b"".join(response), status=response.status_code, headers=response.headers)
    return response


def headers_of(call: Call) -> dict[str, str]:
    return {"if-match": call.tag} if call.tag else {}


def state_of(org: Org) -> list[Any]:
    """Everything of an organisation that a call could change."""
    return [
        list(
            Job.objects.for_org(org)
            .order_by("pk")
            .values("pk", "status", "life", "payload", "attempt", "category", "urgency")
        ),
        list(Label.objects.for_org(org).order_by("pk").values()),
        Org.objects.get(pk=org.pk).job_settings,
        list(Batch.objects.for_org(org).order_by("pk").values()),
        list(Limit.objects.for_org(org).order_by("pk").values()),
        list(Pause.objects.for_org(org).order_by("pk").values()),
        list(Artefact.objects.for_org(org).order_by("pk").values()),
        list(Schedule.objects.for_org(org).order_by("pk").values()),
        list(Subscriber.objects.for_org(org).order_by("pk").values()),
        list(AlertRule.objects.for_org(org).order_by("pk").values()),
        list(Alert.objects.filter(org_id=org.pk).order_by("pk").values()),
        list(Delivery.objects.filter(org_id=org.pk).order_by("pk").values()),
        list(ModelVersion.objects.for_org(org).order_by("pk").values("version", "active", "previous")),
        list(SavedView.objects.filter(org=org).order_by("pk").values()),
        list(Secret.objects.filter(org=org).order_by("pk").values()),
        list(Queue.objects.for_org(org).order_by("name").values("name", "paused_at", "pause_reason", "policy")),
        sorted(Ready.objects.filter(org_id=org.pk).values_list("job_id", "held")),
        list(Lease.objects.filter(org_id=org.pk).values_list("job_id", "cancel_requested")),
        Transition.objects.filter(org_id=org.pk).count(),
    ]


@EVERY_CALL
@pytest.mark.parametrize("role", list(Role))
def test_a_member_may_do_what_his_role_allows(world: World, paths: dict[str, str], call: Call, role: Role) -> None:
    person = {Role.ORG_ADMIN: world.owner, Role.OPERATOR: world.operator, Role.VIEWER: world.viewer}[role]
    path = f"/api/v1/job-views/{make_view(world.org, person).pk}/" if call.own else paths[call.route]
    before = state_of(world.org)

    response = ask(call, path, person)

    if call.action is not PLATFORM and can(role, call.action):
        assert response.status_code == call.good
    else:
        assert response.status_code == 403
        assert response["Content-Type"] == "application/problem+json"
        assert state_of(world.org) == before


@EVERY_CALL
def test_an_outsider_finds_nothing_and_changes_nothing(world: World, paths: dict[str, str], call: Call) -> None:
    before = state_of(world.org)

    response = ask(call, paths[call.route], world.outsider)

    assert response.status_code == call.stranger
    # what a stranger puts under the name is his own
    said = response.content.decode().replace(paths[call.route], "").replace(f"'{CANARY}'", "")
    assert CANARY not in said
    assert state_of(world.org) == before


@EVERY_CALL
def test_an_outsider_cannot_name_the_organisation(world: World, paths: dict[str, str], call: Call) -> None:
    before = state_of(world.org)

    response = ask(call, paths[call.route], world.outsider, org=world.org)

    assert response.status_code == (403 if call.action is PLATFORM else 404)
    assert state_of(world.org) == before


@EVERY_CALL
def test_somebody_without_an_organisation_may_do_nothing(world: World, paths: dict[str, str], call: Call) -> None:
    before = state_of(world.org)

    assert ask(call, paths[call.route], world.loner).status_code == 403
    assert state_of(world.org) == before


@EVERY_CALL
def test_nobody_may_do_anything_without_a_token(world: World, paths: dict[str, str], call: Call) -> None:
    before = state_of(world.org)

    response = ask(call, paths[call.route])

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert state_of(world.org) == before


@EVERY_CALL
def test_a_platform_admin_may_do_everything_everywhere(world: World, paths: dict[str, str], call: Call) -> None:
    answered = ask(call, paths[call.route], world.platform_admin, org=world.org).status_code

    assert answered == (409 if call.member else call.good)


@EVERY_CALL
def test_a_session_cookie_opens_nothing(world: World, paths: dict[str, str], call: Call) -> None:
    client = api()
    client.force_login(world.owner)
    before = state_of(world.org)

    response = getattr(client, call.method.lower())(paths[call.route], call.body, headers=headers_of(call))

    assert response.status_code == 401
    assert state_of(world.org) == before


@pytest.mark.parametrize("pattern", urlpatterns, ids=lambda pattern: str(pattern.name))
def test_other_methods_are_refused_and_the_allowed_ones_named(
    world: World, paths: dict[str, str], pattern: URLPattern
) -> None:
    known = {call.method for call in CALLS if call.route == pattern.name}
    client = api(world.platform_admin, world.org)

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - known:
        response = getattr(client, method.lower())(paths[str(pattern.name)])
        assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")
        assert known <= set(response["Allow"].split(", "))


def test_every_route_and_method_is_in_the_table() -> None:
    served = {
        (method.upper(), str(pattern.name))
        for pattern in urlpatterns
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(pattern.callback.view_class, method)
    }

    assert {(call.method, call.route) for call in CALLS} == served


def test_a_role_taken_away_counts_on_the_next_call(world: World) -> None:
    client, before = api(world.operator), Job.objects.count()
    assert client.post("/api/v1/jobs/", ADD).status_code == 201
    world.operator.memberships.update(role=Role.VIEWER)

    assert client.post("/api/v1/jobs/", ADD).status_code == 403

    world.operator.memberships.all().delete()
    assert client.get("/api/v1/jobs/").status_code == 403
    assert Job.objects.count() == before + 1
