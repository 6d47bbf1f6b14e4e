"""The story of a job, put together from the logs of all processes by what docs/observing.md says to type."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.delivery.signing import new_secret
from jobs.models import Delivery, Job, Lease, WorkerProcess
from orgs.models import Org
from tests.factories import make_org, make_webhook
from tests.jobs.handlers.server import Server, serving
from tests.process import ROOT
from tests.processes import Fleet, patiently
from tests.scenarios.rest import Rest

CORRELATION_ID = "order-4711"
SECRET = "hunter2-is-not-to-be-seen"
SECTION = (ROOT / "docs/observing.md").read_text(encoding="utf-8").partition("## One job through all logs")[2]
(RECIPE,) = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def server(fleet: Fleet) -> Iterator[Server]:
    with serving() as one:
        fleet.environ |= {"SMARTQUEUE_HTTP_ALLOW_HOSTS": one.authority, "SMARTQUEUE_LOG_FORMAT": "json"}
        yield one


def typed(fleet: Fleet, correlation_id: str) -> list[dict[str, Any]]:
    environ = {**fleet.environ, "LOGS": str(fleet.folder), "CORRELATION_ID": correlation_id}
    done = subprocess.run(["sh", "-eu", "-c", RECIPE], env=environ, capture_output=True, text=True, check=False)
    # 1: nothing is found
    assert done.returncode in {0, 1}, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def told(events: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == what]


def killed_while_it_runs(fleet: Fleet, job_id: str) -> None:
    lease = patiently(lambda: list(Lease.objects.filter(job_id=job_id)))[0]
    pid = WorkerProcess.objects.get(pk=lease.worker_id).pid
    (worker,) = [process for process in fleet.processes if process.pid == pid]
    worker.send(signal.SIGKILL)


def test_one_grep_follows_a_job_through_all_processes(fleet: Fleet, org: Org, server: Server) -> None:
    make_webhook(org, server.on("/hook"), secret=new_secret())
    rest = Rest(fleet, org, log_level="INFO")
    rest.headers["X-Correlation-ID"] = CORRELATION_ID
    fleet.scheduler()
    fleet.watchdog()
    fleet.workers(1)

    job_id = rest.submit("demo.wait", seconds=5)
    killed_while_it_runs(fleet, job_id)
    fleet.workers(1)
    patiently(lambda: Delivery.objects.filter(status=Delivery.DELIVERED).exists())
    patiently(lambda: told(typed(fleet, CORRELATION_ID), "a delivery was tried"))

    events = typed(fleet, CORRELATION_ID)
    (submitted,) = told(events, "request")
    assert (submitted["method"], submitted["path"], submitted["status"]) == ("POST", "/api/v1/jobs/", 201)
    (lost,) = told(events, "lease taken back")
    assert (lost["job"], lost["attempt"], lost["became"]) == (job_id, 1, "queued")
    (ended,) = told(events, "attempt ended")
    assert (ended["job"], ended["attempt"], ended["outcome"], ended["became"]) == (job_id, 2, "done", "done")
    (delivered,) = told(events, "a delivery was tried")
    assert (delivered["kind"], delivered["answer"]) == ("job.done", 200)
    assert server.asked[0].headers["X-Correlation-ID"] == CORRELATION_ID
    assert typed(fleet, "order-4712") == []


def test_a_failure_is_one_line_and_shows_no_secret(fleet: Fleet, org: Org, server: Server) -> None:
    rest = Rest(fleet, org, log_level="INFO")
    rest.headers["X-Correlation-ID"] = CORRELATION_ID
    fleet.workers(1)

    job_id = rest.submit("demo.fail_always", reason=SECRET)
    patiently(lambda: told(typed(fleet, CORRELATION_ID), "attempt ended"))

    ended = told(typed(fleet, CORRELATION_ID), "attempt ended")[0]
    assert (ended["job"], ended["attempt"], ended["outcome"]) == (job_id, 1, "error")
    assert ended["error_type"] == Job.objects.get(pk=job_id).error_type
    assert not [process.log_path.name for process in fleet.processes if SECRET in process.text]
