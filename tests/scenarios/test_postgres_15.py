"""The oldest PostgreSQL that is promised, as Debian ships it: everything at the core, through real processes."""

from pathlib import Path

import pytest

from tests.processes import patiently
from tests.proofs import figure
from tests.scenarios.debian import BINARIES, MAJOR, Debian
from tests.scenarios.deployment import DURABLE_CONF, Deployment, migrated, state_folder

pytestmark = pytest.mark.skipif(
    not BINARIES.exists(), reason=f"NOT TESTED ON POSTGRESQL {MAJOR}: postgresql-{MAJOR} is not installed"
)
FAILS = {"type": "python", "payload": {"task": "demo.fail_always"}, "max_attempts": 2}


def test_everything_at_the_core_is_done_on_debians_postgresql(request: pytest.FixtureRequest) -> None:
    with (
        state_folder() as folder,
        migrated(request, folder, Debian(folder, DURABLE_CONF), SMARTQUEUE_ROW_SECURITY="required") as deployment,
    ):
        deployment.come_up()
        assert int(deployment.rows("SHOW server_version_num")[0][0]) // 10_000 == int(MAJOR)
        assert deployment.rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user") == [
            (False, False)
        ]

        job_id = deployment.client.submitted()
        patiently(lambda: deployment.done(job_id))
        a_job_is_retried_dies_and_is_replayed(deployment)
        a_schedule_is_due(deployment)
        what_was_done_is_found(deployment, job_id)
        everything_is_exported(deployment, folder)
        for words in (("verify_audit",), ("check", "--database", "default", "--fail-level", "WARNING")):
            said(deployment, *words)
        patiently(deployment.client.ready)
        figure(f"PostgreSQL {MAJOR}", jobs=len(deployment.rows("SELECT FROM jobs_job")))


def said(deployment: Deployment, *words: str) -> str:
    """What a command prints, which must succeed."""
    process = deployment.fleet.manage(*words)
    assert process.ended(120) == 0, process.text
    deployment.fleet.processes.remove(process)
    process.close()
    return process.text


def state_of(deployment: Deployment, job_id: str) -> tuple[str, int]:
    """Status and attempts."""
    statuses = dict(deployment.rows("SELECT id::text, status FROM jobs_job"))
    return statuses[job_id], len(deployment.rows(f"SELECT FROM jobs_attempt WHERE job_id = '{job_id}'"))


def a_job_is_retried_dies_and_is_replayed(deployment: Deployment) -> None:
    client = deployment.client
    job_id = client.submitted(FAILS)
    patiently(lambda: state_of(deployment, job_id) == ("failed", 2))
    letters = client.call("GET", "/api/v1/dead-letters/").body["items"]
    assert [letter["id"] for letter in letters] == [job_id]
    replayed = client.call(
        "POST", f"/api/v1/jobs/{job_id}/replay/", {"payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
    )
    assert replayed.status == 200, replayed
    patiently(lambda: deployment.done(job_id))


def a_schedule_is_due(deployment: Deployment) -> None:
    job = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 2, "b": 2}}}
    made = deployment.client.call(
        "POST", "/api/v1/schedules/", {"name": "each-minute", "cron": "* * * * *", "job": job}
    )
    assert made.status == 201, made
    patiently(lambda: deployment.rows("SELECT FROM jobs_scheduletick WHERE outcome = 'fired'"))


def what_was_done_is_found(deployment: Deployment, job_id: str) -> None:
    client = deployment.client
    listed = client.call("GET", "/api/v1/jobs/?status=done").body["items"]
    assert job_id in [job["id"] for job in listed]
    found = client.call("GET", "/api/v1/jobs/?q=payload.task:demo.add")
    assert found.status == 200, found
    assert job_id in [job["id"] for job in found.body["items"]]


def everything_is_exported(deployment: Deployment, folder: Path) -> None:
    ((slug,),) = deployment.rows("SELECT slug FROM orgs_org")
    said(deployment, "export_org", slug, str(folder / "all.zip"))
    assert (folder / "all.zip").stat().st_size > 0
