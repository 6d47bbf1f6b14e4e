"""The second wall on a server where SmartQueue is an ordinary role, which may make no roles and passes no policy."""

import subprocess
from functools import partial
from typing import Any

import psycopg
import pytest

from smartqueue.embedded import DATABASE, ROLE, Server
from tests.process import Process
from tests.processes import patiently
from tests.scenarios.deployment import DURABLE_CONF, Deployment, migrated, state_folder
from tests.scenarios.writers import Client

OTHER = {
    "username": "other",
    "password": "4 words of others",
    "email": "other@example.com",
    "organisation": "Other",
}
WANTED = f'CREATE ROLE "{ROLE}_web" NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT', f'GRANT "{ROLE}_web" TO "{ROLE}"'


class Ordinary(Server):
    """The role is what an administrator makes for an application: the owner of its database, and no more."""

    def role_ready(self, *, may_create_databases: bool = False) -> None:
        super().role_ready(may_create_databases=may_create_databases)
        for statement in (
            f"ALTER ROLE {ROLE} NOSUPERUSER NOBYPASSRLS NOCREATEROLE",
            f"REVOKE {ROLE}_web FROM {ROLE}",
            f"DROP ROLE {ROLE}_web",
        ):
            self.said(statement)

    def said(self, statement: str) -> None:
        with psycopg.connect(**{**self.superuser(), "dbname": DATABASE}, autocommit=True) as session:
            session.execute(statement.encode())


def test_an_ordinary_owner_is_told_what_is_missing_and_then_held(request: pytest.FixtureRequest) -> None:
    with state_folder() as folder:
        server = Ordinary(folder, DURABLE_CONF)
        with migrated(request, folder, server, SMARTQUEUE_ROW_SECURITY="required") as deployment:
            refused_without_the_role(deployment)
            missing = checked(deployment)
            assert missing.ended(60) == 1, missing.text
            assert "; ".join(WANTED) in " ".join(missing.text.split())
            deployment.fleet.processes.remove(missing)
            missing.close()

            for statement in WANTED:
                server.said(statement)
            migrating = deployment.fleet.manage("migrate")
            assert migrating.ended(120) == 0, migrating.text
            whole = checked(deployment)
            assert whole.ended(60) == 0, whole.text

            deployment.come_up()
            jobs = two_organisations_run_a_job_each(deployment)
            whole_dump(deployment, jobs)


def checked(deployment: Deployment) -> Process:
    return deployment.fleet.manage("check", "--database", "default", "--fail-level", "WARNING")


def refused_without_the_role(deployment: Deployment) -> None:
    client = Client(deployment.fleet.web())
    checks: dict[str, Any] = {}

    def unready() -> bool:
        reply = client.call("GET", "/readyz")
        checks.update(reply.body.get("checks", {}))
        return reply.status == 503 and bool(checks)

    patiently(unready)
    assert (checks["database"], checks["migrations"]) == ("ok", "ok")
    assert "CREATE ROLE" in checks["row_security"]
    anybody = client.call("POST", "/api/v1/auth/register/", OTHER)
    assert anybody.status == 201, "what is a person's own passes the wall, with or without it"
    client.token = anybody.body["access"]
    refused = client.call("GET", "/api/v1/jobs/")
    assert (refused.status, refused.body["type"]) == (503, "urn:smartqueue:problem:database_not_walled")
    deployment.fleet.processes.pop().close()


def two_organisations_run_a_job_each(deployment: Deployment) -> list[str]:
    """Submitted, run and looked at through two processes of the web; each sees its own, PostgreSQL shows no other."""
    other = Client(deployment.client.host)
    signed_in = other.call("POST", "/api/v1/auth/login/", {name: OTHER[name] for name in ("username", "password")})
    other.token = signed_in.body["access"]
    jobs = {client: client.submitted() for client in (deployment.client, other)}
    for client, job_id in jobs.items():
        patiently(partial(deployment.done, job_id))
        reply = client.call("GET", f"/api/v1/jobs/{job_id}/")
        assert (reply.status, reply.body["status"], reply.body["result"]) == (200, "done", 3)
        listed = client.call("GET", "/api/v1/jobs/").body["items"]
        assert [job["id"] for job in listed] == [job_id]
        (foreign,) = set(jobs.values()) - {job_id}
        assert client.call("GET", f"/api/v1/jobs/{foreign}/").status == 404
    assert deployment.rows("SELECT count(*), count(DISTINCT org_id) FROM jobs_job") == [(2, 2)]
    return list(jobs.values())


def whole_dump(deployment: Deployment, jobs: list[str]) -> None:
    """As docs/backups.md has it: the owner's dump has the rows of everybody, or there is none."""
    command = [str(deployment.server.binaries / "pg_dump"), "--data-only", "--table=jobs_job"]
    url = deployment.fleet.environ["DATABASE_URL"]
    refused = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    assert (refused.returncode, "row-level security" in refused.stderr) == (1, True)
    dump = subprocess.run([*command, "--enable-row-security", url], capture_output=True, text=True, check=True)
    assert [job_id for job_id in jobs if job_id not in dump.stdout] == []
