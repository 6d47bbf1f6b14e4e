"""What the jobs' API answers is what its document says: shapes, statuses, headers."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from django.http import HttpResponse
from pytest_django.fixtures import Settings

from jobs.models import ErrorGroup, Job, LogLine, ModelVersion, Schedule
from jobs.queue.fire import fire
from jobs.queue.lease import report
from jobs.states import Outcome
from tests.conftest import World
from tests.factories import api, claim_all, finish_one, make_dead_letter, make_done, make_job, make_version
from tests.smartqueue.test_openapi import BY_ID, DOCUMENT, assert_fits, resolved

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
SUM = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}


def fits(operation_id: str, response: HttpResponse) -> Any:
    """The body, if it is as documented, with no field more and none less."""
    documented = resolved(BY_ID[operation_id].says["responses"][str(response.status_code)])
    media_type = response["Content-Type"].partition(";")[0]
    schema = documented["content"][media_type]["schema"]
    body = response.json()
    assert_fits(body, schema)
    assert_same_fields(body, schema)
    return body


def assert_same_fields(value: Any, schema: dict[str, Any]) -> None:
    schema = resolved(schema)
    if isinstance(value, list):
        for item in value:
            assert_same_fields(item, schema.get("items", {}))
    elif isinstance(value, dict) and "properties" in schema:
        required = set(schema.get("required", []))
        assert required <= set(value) <= set(schema["properties"])
        for name, inner in value.items():
            assert_same_fields(inner, schema["properties"][name])


@pytest.fixture
def busy(world: World) -> dict[str, str]:
    """Ids of jobs in every status, with whatever can hang on a job."""
    done, dead = make_done(world.org, title="Sum"), make_dead_letter(world.org)
    running = make_job(world.org, user=world.operator)
    (claimed,) = claim_all()
    lines = [{"token": str(claimed.token), "sequence": 0, "stream": "log", "text": "hello", "age_seconds": 0}]
    report(lines=lines, progress=[{"token": str(claimed.token), "progress": 0.5, "progress_message": "half"}])
    retried = make_job(world.org, queue="other", max_attempts=2)
    (first,) = claim_all("other")
    assert finish_one(first, Outcome.ERROR, error_type="ValueError", error="broken")
    waiting = make_job(world.org, idempotency_key="k", category="Database")
    ModelVersion.objects.create(org=world.org, version=1, weights=b"", samples=3, metrics={"mae": 1.0}, active=True)
    assert LogLine.objects.count() == 1
    named = {"done": done, "dead": dead, "running": running, "retried": retried, "waiting": waiting}
    return {name: str(job.pk) for name, job in named.items()}


def test_lists_are_as_documented(world: World, busy: dict[str, str]) -> None:
    client = api(world.viewer)

    assert len(fits("list_jobs", client.get(JOBS))["items"]) == 5
    assert len(fits("list_tasks", client.get("/api/v1/tasks/"))["items"]) == 5
    assert len(fits("list_dead_letters", client.get("/api/v1/dead-letters/"))["items"]) == 1
    assert len(fits("list_queues", client.get("/api/v1/queues/"))["items"]) == 2
    api(world.owner).put("/api/v1/limits/key/k/", {"max_running": 1})
    api(world.owner).put("/api/v1/limits/key/l/", {"rate_count": 1, "rate_seconds": 1.5})
    assert len(fits("list_limits", client.get("/api/v1/limits/"))["items"]) == 2
    nightly = {"name": "nightly", "cron": "* * * * *", "missed": "all", "job": SUM}
    schedule = fits("create_schedule", api(world.owner).post("/api/v1/schedules/", nightly))
    assert fits("get_schedule", client.get(f"/api/v1/schedules/{schedule['id']}/")) == schedule
    assert len(fits("list_schedules", client.get("/api/v1/schedules/"))["items"]) == 1
    bulk = {"kind": "cancel", "filter": {"queue": "nowhere"}, "undo_seconds": 9}
    operation = fits("start_bulk_operation", api(world.operator).post("/api/v1/bulk-operations/", bulk))
    assert fits("list_bulk_operations", client.get("/api/v1/bulk-operations/"))["items"] == [operation]
    path = f"/api/v1/bulk-operations/{operation['id']}/"
    assert fits("get_bulk_operation", client.get(path)) == operation
    assert fits("list_bulk_outcomes", client.get(f"{path}outcomes/"))["items"] == []
    assert fits("stop_bulk_operation", api(world.operator).post(f"{path}stop/"))["state"] == "undone"
    Schedule.objects.update(next_at=Now())
    fire(1)
    assert fits("list_schedule_ticks", client.get(f"/api/v1/schedules/{schedule['id']}/ticks/"))["items"]
    api(world.owner).put("/api/v1/secrets/mailgun/", {"value": "hunter2"})
    assert len(fits("list_secrets", api(world.operator).get("/api/v1/secrets/"))["items"]) == 1
    assert fits("list_job_types", client.get("/api/v1/job-types/"))["items"]
    assert fits("get_model", client.get("/api/v1/model/"))["active"]
    owner = api(world.owner)
    hook = fits("create_webhook", owner.post("/api/v1/webhooks/", {"url": "https://example.com/"}))
    sent = fits("test_webhook", owner.post(f"/api/v1/webhooks/{hook['id']}/test/"))
    assert len(fits("list_webhooks", owner.get("/api/v1/webhooks/"))["items"]) == 1
    assert fits("get_webhook", owner.get(f"/api/v1/webhooks/{hook['id']}/"))["active"]
    deliveries = f"/api/v1/webhooks/{hook['id']}/deliveries/"
    assert fits("list_deliveries", owner.get(deliveries))["items"] == [sent]
    fits("resend_delivery", owner.post(f"{deliveries}{sent['id']}/resend/"))
    assert fits("get_delivery", owner.get(f"{deliveries}{sent['id']}/"))["request"]["method"] == "POST"
    fits(
        "resend_failed_deliveries",
        owner.post(f"/api/v1/webhooks/{hook['id']}/resend/", {"since": "2026-01-31T12:00:00Z"}),
    )
    about = {"name": "waits", "kind": "latency", "threshold": 5, "subscribers": [hook["id"]]}
    rule = fits("create_alert_rule", owner.post("/api/v1/alert-rules/", about))
    assert fits("get_alert_rule", owner.get(f"/api/v1/alert-rules/{rule['id']}/")) == rule
    assert fits("list_alert_rules", owner.get("/api/v1/alert-rules/"))["items"] == [rule]
    assert len(fits("test_alert_rule", owner.post(f"/api/v1/alert-rules/{rule['id']}/test/"))["deliveries"]) == 1
    assert fits("change_alert_rule", owner.patch(f"/api/v1/alert-rules/{rule['id']}/", {"is_paused": True}))[
        "is_paused"
    ]
    assert fits("list_alerts", owner.get("/api/v1/alerts/"))["items"] == []
    fits("rotate_webhook_secret", owner.post(f"/api/v1/webhooks/{hook['id']}/secret/"))
    alert = fits("create_mail_alert", owner.post("/api/v1/mail-alerts/", {"address": "a@example.com"}))
    fits("test_mail_alert", owner.post(f"/api/v1/mail-alerts/{alert['id']}/test/"))
    assert fits("list_mail_alerts", owner.get("/api/v1/mail-alerts/"))["items"] == [alert]
    assert fits("get_mail_alert", owner.get(f"/api/v1/mail-alerts/{alert['id']}/")) == alert
    view = fits("create_job_view", owner.post("/api/v1/job-views/", {"name": "Mine", "query": "status=failed"}))
    assert fits("list_job_views", owner.get("/api/v1/job-views/"))["items"] == [view]
    path = f"/api/v1/job-views/{view['id']}/"
    assert fits("get_job_view", owner.get(path)) == fits("change_job_view", owner.patch(path, {"first": True}))
    ErrorGroup.objects.create(
        org_id=world.org.pk, fingerprint="0123456789abcdef", attempts=1, first_at=Now(), last_at=Now(),
        last_job_id=Job.objects.all()[0].pk,
    )  # fmt: skip
    (error,) = fits("list_errors", client.get("/api/v1/errors/"))["items"]
    assert fits("get_error", client.get(f"/api/v1/errors/{error['fingerprint']}/"))["attempts"] == 1
    assert len(fits("get_usage", client.get("/api/v1/orgs/acme/usage/"))["quotas"]) == 4
    platform = api(world.platform_admin).get("/api/v1/platform/jobs/")
    assert len(fits("list_platform_jobs", platform)["items"]) == 6  # the schedule's too


def test_jobs_and_their_history_are_as_documented(world: World, busy: dict[str, str]) -> None:
    client = api(world.viewer)

    for job_id in busy.values():
        assert fits("get_job", client.get(f"{JOBS}{job_id}/"))["id"] == job_id
        assert fits("get_task", client.get(f"/api/v1/tasks/{job_id}/"))["id"] == job_id
        fits("list_attempts", client.get(f"{JOBS}{job_id}/attempts/"))
        fits("list_transitions", client.get(f"{JOBS}{job_id}/transitions/"))
        fits("list_logs", client.get(f"{JOBS}{job_id}/logs/"))
        fits("list_artefacts", client.get(f"{JOBS}{job_id}/artefacts/"))


def test_acts_are_as_documented(world: World, busy: dict[str, str], settings: Settings, tmp_path: Path) -> None:
    client = api(world.owner)
    add = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    settings.MEDIA_ROOT = tmp_path
    make_version(world.org, 2)
    sent = f"/api/v1/artefacts/{client.post('/api/v1/artefacts/', {}).json()['id']}/"

    for operation_id, response, status in [
        ("submit_job", client.post(JOBS, add), 201),
        ("submit_job", client.post(JOBS, add, headers={"Idempotency-Key": "k"}), 422),
        ("submit_job", client.post(JOBS, {}), 400),
        ("submit_jobs", client.post(f"{JOBS}bulk/", {"jobs": [add, {}]}), 207),
        ("change_job", client.post(f"{JOBS}{busy['waiting']}/change/", {"urgency": "high", "queue": "q"}), 200),
        ("change_job", client.post(f"{JOBS}{busy['done']}/change/", {"urgency": "high"}), 409),
        ("change_job", client.post(f"{JOBS}{busy['waiting']}/change/", {}), 400),
        ("snooze_job", client.post(f"{JOBS}{busy['waiting']}/snooze/", {"seconds": 60}), 200),
        ("snooze_job", client.post(f"{JOBS}{busy['waiting']}/snooze/", {}), 400),
        ("run_job_now", client.post(f"{JOBS}{busy['waiting']}/run-now/", {}), 200),
        ("run_job_now", client.post(f"{JOBS}{busy['waiting']}/run-now/", {}), 409),
        ("cancel_job", client.post(f"{JOBS}{busy['running']}/cancellation/", {}), 202),
        ("cancel_job", client.post(f"{JOBS}{busy['waiting']}/cancellation/", {}), 200),
        ("cancel_job", client.post(f"{JOBS}{busy['waiting']}/cancellation/", {}), 409),
        ("replay_job", client.post(f"{JOBS}{busy['done']}/replay/", {}), 409),
        ("replay_job", client.post(f"{JOBS}{busy['dead']}/replay/", {}), 200),
        ("replay_job", client.post(f"{JOBS}nonsense/replay/", {}), 404),
        ("replay_jobs", client.post(f"{JOBS}replay/", {"filter": {}}), 200),
        ("predict_job", client.post("/api/v1/predict/", add), 200),
        (
            "change_queue",
            client.patch("/api/v1/queues/default/", {"policy": "priority"}, headers={"If-Match": "*"}),
            200,
        ),
        ("change_queue", client.patch("/api/v1/queues/default/", {"policy": "priority"}), 428),
        ("promote_model", client.post("/api/v1/model/versions/2/promote/"), 200),
        ("promote_model", client.post("/api/v1/model/versions/2/promote/"), 409),
        ("promote_model", client.post("/api/v1/model/versions/9/promote/"), 404),
        ("rollback_model", client.post("/api/v1/model/rollback/"), 409),
        ("pause_queue", client.post("/api/v1/queues/default/pause/", {}), 200),
        ("resume_queue", client.delete("/api/v1/queues/default/pause/"), 200),
        ("close_queue", client.post("/api/v1/queues/default/closing/", {"reason": "moving"}), 200),
        ("submit_job", client.post(JOBS, add), 409),
        ("reopen_queue", client.delete("/api/v1/queues/default/closing/"), 200),
        ("pause_kind", client.post("/api/v1/pauses/", {"type": "shell", "resume_in_seconds": 60}), 201),
        ("pause_kind", client.post("/api/v1/pauses/", {"type": "shell"}), 200),
        ("pause_kind", client.post("/api/v1/pauses/", {"type": "none"}), 400),
        ("list_pauses", client.get("/api/v1/pauses/"), 200),
        ("resume_kind", client.delete("/api/v1/pauses/none/"), 404),
        ("get_worker", client.get("/api/v1/workers/none/"), 404),
        ("command_worker", client.post("/api/v1/workers/none/commands/", {"command": "quiet"}), 404),
        ("set_limit", client.put("/api/v1/limits/key/a/b/", {"max_running": 1}), 201),
        ("set_limit", client.put("/api/v1/limits/key/a/b/", {"rate_count": 1, "rate_seconds": 60}), 200),
        ("set_limit", client.put("/api/v1/limits/key/a/b/", {"burst": 1}), 400),
        ("set_limit", api(world.viewer).put("/api/v1/limits/key/a/b/", {"max_running": 1}), 403),
        ("remove_limit", client.delete("/api/v1/limits/key/none/"), 404),
        ("set_secret", client.put("/api/v1/secrets/mailgun/", {"value": "hunter2"}), 201),
        ("set_secret", client.put("/api/v1/secrets/mailgun/", {"value": "hunter3"}), 200),
        ("set_secret", client.put("/api/v1/secrets/mailgun/", {"value": "abc"}), 400),
        ("set_secret", client.put("/api/v1/secrets/mail-gun/", {"value": "hunter2"}), 400),
        ("set_secret", api(world.operator).put("/api/v1/secrets/mailgun/", {"value": "hunter2"}), 403),
        ("remove_secret", client.delete("/api/v1/secrets/none/"), 404),
        ("send_artefact", client.post("/api/v1/artefacts/", {}), 201),
        ("send_artefact", client.post("/api/v1/artefacts/?name=..", {}), 400),
        ("list_sent_artefacts", client.get("/api/v1/artefacts/"), 200),
        ("get_sent_artefact", client.get(sent), 200),
        ("link_artefact", client.post(f"{sent}links/", {"seconds": 60}), 201),
        ("link_artefact", client.post(f"{sent}links/", {"seconds": 0}), 400),
        ("delete_artefact", client.delete("/api/v1/artefacts/none/"), 404),
        ("submit_task", client.post("/api/v1/tasks/", add), 201),
        ("submit_job", api().post(JOBS, add), 401),
        ("submit_job", api(world.viewer).post(JOBS, add), 403),
        ("submit_job", client.generic("POST", JOBS, "x", content_type="text/plain"), 415),
        ("list_jobs", client.get(JOBS, headers={"Accept": "text/html"}), 406),
    ]:
        assert (operation_id, response.status_code) == (operation_id, status)
        fits(operation_id, response)


@pytest.mark.parametrize("operation_id", ["list_jobs", "list_dead_letters", "list_logs", "list_tasks", "list_limits"])
def test_every_documented_parameter_of_a_list_is_known(world: World, busy: dict[str, str], operation_id: str) -> None:
    operation = BY_ID[operation_id]
    values = {
        "limit": "1",
        "type": "python",
        "queue": "default",
        "urgency": "high",
        "category": "Network",
        "sort": "name",
        "status": "FAILED",
        "attempt": "1",
        "batch": str(UUID(int=1)),
        "fingerprint": "0123456789abcdef",
        "replayed": "true",
        **dict.fromkeys(("attempts_min", "attempts_max", "runtime_min_ms", "runtime_max_ms"), "1"),
    }
    moments = {f"{event}_{side}" for event in ("created", "finished", "failed") for side in ("after", "before")}
    names = [parameter["name"] for parameter in operation.says["parameters"] if parameter.get("in") == "query"]
    query = {name: values.get(name, "2026-01-01T00:00:00Z" if name in moments else "x") for name in names}
    query.pop("cursor")
    if "after" in query:
        query["after"] = "0"

    response = api(world.viewer).get(operation.path.format(job_id=busy["done"]), query)

    assert response.status_code == 200, response.content
    assert len(names) == len(set(names))


def test_limits_in_the_document_are_those_that_hold() -> None:
    limit = next(one for one in BY_ID["list_jobs"].says["parameters"] if one.get("name") == "limit")
    jobs = DOCUMENT["components"]["schemas"]["BulkRequest"]["properties"]["jobs"]

    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 200)
    assert (jobs["minItems"], jobs["maxItems"]) == (1, 1000)
