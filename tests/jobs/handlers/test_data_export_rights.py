"""data-export: whose rows, who may have them, and what is refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.exports import OrgReader
from jobs.handlers import registry
from jobs.handlers.base import PermanentFailure
from jobs.handlers.datasets import DATASETS, MOMENTS, Question, moment
from jobs.models import Artefact, Job
from jobs.queue.control import replay
from jobs.queue.enqueue import NewJob, enqueue
from orgs.models import Membership
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import api, browser, claim_all, make_dead_letter, make_job
from tests.jobs.handlers.exports import MARK, Exported, export, export_attempt, fill, run
from tests.jobs.handlers.fakes import make_attempt, make_claimed

pytestmark = pytest.mark.django_db(transaction=True)

INJECTIONS = ["' OR 1=1 --", "'; DROP TABLE jobs_job; --", "%", "_", "\\", "%(org_id)s", "{0}", "$1", "x\u2028y"]


@pytest.fixture(autouse=True)
def folders(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")


@pytest.fixture
def filled(world: World) -> Job:
    """Both organisations have something in every dataset. The rival's dead letter."""
    fill(world.org, world.owner, "ours")
    return fill(world.rival, world.outsider, MARK)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_dataset_has_the_rows_of_its_organisation_only(world: World, filled: Job, dataset: str) -> None:
    columns = list(DATASETS[dataset].columns)

    table = export(world.org, world.owner, dataset=dataset, columns=columns)
    objects = export(world.org, world.owner, dataset=dataset, columns=columns, format="json")
    lines = export(world.org, world.owner, dataset=dataset, columns=columns, format="ndjson", gzip=True)

    unpacked = gzip.decompress(lines.data)
    for text in (table.data, objects.data, unpacked):
        assert b"ours" in text
        assert MARK.encode() not in text
        assert str(filled.pk).encode() not in text
    # an export is a job itself: what it writes to is longer the next time
    last = [json.loads(line) for line in unpacked.splitlines()]
    assert len(last) >= len(objects.objects) >= len(table.table) >= 1
    assert all(list(one) == columns for one in [*objects.objects, *last])


VALUES = {"status": ["done", "failed", "running", "queued"], "type": "python", "urgency": "medium", "q": MARK}
NUMBERS = dict.fromkeys(("attempts_min", "runtime_min_ms"), 0) | dict.fromkeys(("attempts_max", "runtime_max_ms"), 9)


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_filter_leads_to_another_organisation(world: World, filled: Job, dataset: str) -> None:
    known = DATASETS[dataset]
    job = make_job(world.org, world.owner)
    reader = OrgReader(make_claimed("data-export", {}, org_id=world.org.pk, job_id=job.pk))
    rival = {"name": f"{MARK}-a", "queue": f"{MARK}-q", "creator": "outsider", "actor": "outsider"}
    values = VALUES | NUMBERS | {"replayed": False} | rival
    values |= dict.fromkeys(("job", "batch", "correlation_id"), str(filled.pk))

    for name in known.filters:
        late = "2020-01-01T00:00:00Z" if name.endswith("after") else "2199-01-01T00:00:00+01:00"
        value = moment(late) if name in MOMENTS else values.get(name, "Network")
        for order in known.orders:
            with reader.read(Question(dataset, known.columns, {name: value}, order, 100)) as extract:
                rows = list(extract.rows())
            assert len(rows) == extract.total
            assert MARK not in str(rows)
            assert str(filled.pk) not in str(rows)
            if name in rival or values.get(name) == str(filled.pk):
                assert rows == []


@pytest.mark.parametrize("name", ["org", "org_id", "organisation", "submitter"])
def test_whose_rows_they_are_is_not_the_payloads_to_say(name: str) -> None:
    with pytest.raises(InvalidPayload) as refused:
        registry.get("data-export").check({"dataset": "jobs", name: "rival"}, {})
    assert refused.value.errors[0][0] == f"/{name}"


@pytest.mark.parametrize("text", INJECTIONS)
def test_text_in_a_filter_is_only_text(world: World, filled: Job, text: str) -> None:
    for name in ("q", "name", "creator", "queue", "error_type", "correlation_id"):
        found = export(world.org, world.owner, filter={name: text})
        rows = found.table
        assert rows == [], (name, rows)
    assert export(world.org, world.owner, dataset="audit", filter={"actor": text}).table == []
    assert Job.objects.filter(org=world.rival).exists()


@pytest.mark.parametrize(
    ("payload", "pointers"),
    [
        ({}, ["/dataset"]),
        ({"dataset": "users"}, ["/dataset"]),
        ({"dataset": "orgs_user; --"}, ["/dataset"]),
        ({"dataset": "jobs", "format": "xlsx"}, ["/format"]),
        ({"dataset": "jobs", "columns": []}, ["/columns"]),
        ({"dataset": "jobs", "columns": ["id", "password"]}, ["/columns/1"]),
        ({"dataset": "jobs", "columns": ["created_by__password"]}, ["/columns/0"]),
        ({"dataset": "jobs", "columns": ["=1+1"]}, ["/columns/0"]),
        ({"dataset": "jobs", "columns": ['id"; DROP TABLE jobs_job; --']}, ["/columns/0"]),
        ({"dataset": "jobs", "columns": ["id", "id"]}, ["/columns/1"]),
        ({"dataset": "jobs", "columns": ["stream"]}, ["/columns/0"]),
        ({"dataset": "log_lines", "columns": ["payload"]}, ["/columns/0"]),
        ({"dataset": "jobs", "order": "org__slug"}, ["/order"]),
        ({"dataset": "jobs", "order": "-at"}, ["/order"]),
        ({"dataset": "jobs", "limit": 0}, ["/limit"]),
        ({"dataset": "jobs", "limit": 10**9}, ["/limit"]),
        ({"dataset": "jobs", "limit": 10**30}, ["/limit"]),
        ({"dataset": "jobs", "limit": 1.5}, ["/limit"]),
        ({"dataset": "jobs", "format": "json", "bom": True}, ["/bom"]),
        ({"dataset": "jobs", "filter": {"org": "rival"}}, ["/filter/org"]),
        ({"dataset": "jobs", "filter": {"org_id": 2}}, ["/filter/org_id"]),
        ({"dataset": "jobs", "filter": {"created_by__password__startswith": "a"}}, None),
        ({"dataset": "jobs", "filter": {"failed_after": "2026-01-01T00:00:00Z"}}, ["/filter/failed_after"]),
        ({"dataset": "jobs", "filter": {"status": ["dead"]}}, ["/filter/status/0"]),
        ({"dataset": "jobs", "filter": {"type": "rm -rf"}}, ["/filter/type"]),
        ({"dataset": "jobs", "filter": {"job": "1"}}, ["/filter/job"]),
        ({"dataset": "jobs", "filter": {"batch": "' OR 1=1 --"}}, ["/filter/batch"]),
        ({"dataset": "jobs", "filter": {"q": "nul\0"}}, ["/filter/q"]),
        ({"dataset": "jobs", "filter": {"q": "x" * 201}}, ["/filter/q"]),
        ({"dataset": "jobs", "filter": {"created_after": "yesterday"}}, ["/filter/created_after"]),
        ({"dataset": "jobs", "filter": {"created_after": "2026-01-01T00:00:00"}}, ["/filter/created_after"]),
        ({"dataset": "jobs", "filter": {"created_after": "2026-01-01"}}, ["/filter/created_after"]),
        ({"dataset": "jobs", "filter": {"created_after": "infinity"}}, ["/filter/created_after"]),
        ({"dataset": "jobs", "filter": {"created_after": "0001-01-01T00:00:00+14:00"}}, ["/filter/created_after"]),
        ({"dataset": "jobs", "filter": {"created_before": "9999-12-31T23:59:59-14:00"}}, ["/filter/created_before"]),
        ({"dataset": "schedules", "filter": {"q": "x"}}, ["/filter/q"]),
        ({"dataset": "jobs", "path": "/etc/passwd"}, ["/path"]),
    ],
)
def test_what_is_in_no_list_is_refused_at_its_place(payload: dict[str, Any], pointers: list[str] | None) -> None:
    with pytest.raises(InvalidPayload) as refused:
        registry.get("data-export").check(payload, {})

    expected = pointers or ["/filter/created_by__password__startswith"]
    assert [pointer for pointer, _ in refused.value.errors] == expected


def test_a_hostile_payload_is_refused_over_rest(world: World) -> None:
    for payload in ({"dataset": "jobs", "limit": 10**9}, {"dataset": "jobs", "columns": ["'\";--"]}, {"dataset": []}):
        response = api(world.operator).post("/api/v1/jobs/", {"type": "data-export", "payload": payload})
        assert response.status_code == 400
        assert response.json()["errors"][0]["pointer"].startswith("/payload/")


def test_only_who_may_see_the_audit_trail_exports_it(world: World) -> None:
    for user, status in ((world.owner, 201), (world.operator, 400), (world.viewer, 403)):
        response = api(user).post("/api/v1/jobs/", {"type": "data-export", "payload": {"dataset": "audit"}})
        assert response.status_code == status, response.content


def test_the_role_must_still_be_there_when_it_runs(world: World) -> None:
    attempt = export_attempt(world.org, world.owner, dataset="audit")
    Membership.objects.filter(org=world.org, user=world.owner).update(role=Role.OPERATOR)

    refused(run(attempt))


def test_a_member_who_left_or_was_locked_out_gets_nothing(world: World) -> None:
    attempt = export_attempt(world.org, world.owner, dataset="audit")
    Membership.objects.filter(org=world.org, user=world.owner).delete()
    refused(run(attempt))

    attempt = export_attempt(world.rival, world.outsider, dataset="audit")
    world.outsider.is_active = False
    world.outsider.save()
    refused(run(attempt))


def test_an_admin_of_another_organisation_or_nobody_is_no_submitter(world: World) -> None:
    refused(export(world.org, world.outsider, dataset="audit"))
    refused(export(world.org, None, dataset="audit"))


def refused(found: Exported) -> None:
    assert (found.end.outcome, found.end.error_type, found.end.permanent) == ("error", "PermanentFailure", True)
    assert "see_audit" in found.end.error
    assert found.data == b""


def test_a_platform_admin_may_export_it(world: World) -> None:
    assert export(world.org, world.platform_admin, dataset="audit").result["rows"] >= 1


def test_an_operator_cannot_replay_his_way_to_it(world: World) -> None:
    dead = make_dead_letter(world.org, user=world.operator, type="data-export", payload={"dataset": "jobs"})

    with pytest.raises(InvalidPayload):
        replay(dead.pk, scope=Scope(world.operator, world.org, Role.OPERATOR), payload={"dataset": "audit"})

    # an admin may send it back so, but its submitter has not become one
    replay(dead.pk, scope=Scope(world.owner, world.org, Role.ORG_ADMIN), payload={"dataset": "audit"})
    (claimed,) = claim_all()
    refused(run(make_attempt(claimed)))


def test_the_exported_trail_is_only_for_who_may_see_it(world: World) -> None:
    found = export(world.org, world.owner, dataset="audit", filter={"action": "job.submit"})
    (row,) = found.table
    kept = Artefact.objects.get(pk=found.result["artefact"])
    rest, page = f"/api/v1/jobs/{kept.job_id}/artefacts/", f"/jobs/{kept.job_id}/"

    for user, status, files in ((world.owner, 200, 1), (world.operator, 404, 0), (world.viewer, 404, 0)):
        assert len(api(user).get(rest).json()["items"]) == files
        assert answered(api(user).get(f"{rest}{kept.pk}/")) == status
        assert answered(browser(user).get(f"{page}artefacts/{kept.pk}/")) == status
        assert ("audit.csv" in browser(user).get(page).content.decode()) == bool(files)
    assert row["action"] == "job.submit"
    # nor does another job hand it on
    reporter = export_attempt(world.org, world.operator).reporter
    with pytest.raises(PermanentFailure, match="no artefact"):
        reporter.copy_artefact(str(kept.pk), Path("/nonexistent"))


def answered(response: Any) -> int:
    """Its status; a file that came with it is closed."""
    response.close()
    return int(response.status_code)


def test_other_exports_are_for_every_member(world: World) -> None:
    found = export(world.org, world.owner)
    kept = Artefact.objects.get(pk=found.result["artefact"])

    download = api(world.viewer).get(f"/api/v1/jobs/{kept.job_id}/artefacts/{kept.pk}/")

    assert b"".join(download.streaming_content) == found.data
    assert download["Content-Type"] == "text/csv; charset=utf-8"
    assert download["Content-Disposition"] == 'attachment; filename="jobs.csv"'
    assert download["X-Content-Type-Options"] == "nosniff"
    assert answered(api(world.outsider).get(f"/api/v1/jobs/{kept.job_id}/artefacts/{kept.pk}/")) == 404


def test_what_code_of_ours_enqueues_is_checked_alike(world: World) -> None:
    with pytest.raises(InvalidPayload):
        enqueue(
            NewJob(type="data-export", payload={"dataset": "audit"}),
            org=world.org,
            user=world.operator,
            role=Role.OPERATOR,
        )


def test_what_nobody_is_shown_of_a_payload_is_in_no_export(world: World) -> None:
    payload = {"url": "https://example.com/", "headers": {"Authorization": "Bearer hunter2", "Accept": "text/html"}}
    make_job(world.org, user=world.owner, type="http", payload=payload, queue="later")

    made = [export(world.org, world.owner, columns=["payload"], format=kind) for kind in ("csv", "json")]

    for one in made:
        assert b"hunter2" not in one.data
        assert b"text/html" in one.data
