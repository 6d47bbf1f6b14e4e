"""Real `sq work` processes, with a key of their own, on a real web."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import urllib3

from jobs.models import Attempt, Job, LogLine
from orgs.keys import create_key
from orgs.models import Org, User
from orgs.roles import Role
from orgs.scope import find_scope
from tests.factories import make_job, make_member, make_org
from tests.process import ROOT, Process
from tests.processes import Fleet, patiently

CLIENT = str(ROOT / "clients" / "python")


class Site:
    """A web and a watchdog, an organisation and its key."""

    def __init__(self, fleet: Fleet, **environ: str) -> None:
        self.fleet = fleet
        fleet.environ.update(environ)
        self.org: Org = make_org("acme")
        self.admin: User = make_member(self.org, Role.ORG_ADMIN, "ada")
        self.token = create_key("k", scope=find_scope(self.admin, "acme"))[1]
        # as many threads as `make up` has
        self.url = fleet.web(threads=8)
        self.http = urllib3.PoolManager(maxsize=100, retries=False, timeout=60)
        patiently(self.ready)
        fleet.watchdog()
        fleet.scheduler()

    def ready(self) -> bool:
        try:
            return self.http.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def post(self, path: str, body: Any, token: str = "") -> urllib3.BaseHTTPResponse:
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        return self.http.request("POST", f"{self.url}/api/v1/{path}", body=json.dumps(body), headers=headers)

    def environ(self) -> dict[str, str]:
        return {
            "SMARTQUEUE_URL": self.url,
            "SMARTQUEUE_KEY": self.token,
            "PYTHONPATH": CLIENT,
            "PATH": os.environ["PATH"],
        }

    def started(self, *command: str) -> Process:
        """A program with nothing of ours in its environment but the address and the key."""
        log_path = self.fleet.folder / f"own-{len(self.fleet.processes)}.log"
        process = Process(list(command), log_path, self.environ())
        self.fleet.processes.append(process)
        return process

    def sq(self, *words: str, program: str, options: tuple[str, ...] = ()) -> Process:
        """sq work on the queue `own`, with a Python program."""
        start = [sys.executable, "-m", "smartqueue_client", "work", "--queue", "own", *options, *words]
        return self.started(*start, "--", sys.executable, "-u", "-c", program)

    def job(self, value: Any = None, **fields: Any) -> Job:
        payload = {"task": "t", "input": value}
        return make_job(self.org, type="external", queue="own", payload=payload, **fields)


def state(job: Job) -> str:
    return str(Job.objects.with_state().get(pk=job.pk).state)


def ended(job: Job, status: str) -> Job:
    """The job, once it has come to this status."""
    patiently(lambda: state(job) == status)
    return Job.objects.get(pk=job.pk)


def lines(job: Job) -> list[tuple[str, str]]:
    return list(LogLine.objects.filter(job_id=job.pk).order_by("sequence").values_list("stream", "text"))


def outcomes(job: Job) -> list[str]:
    return list(Attempt.objects.filter(job_id=job.pk).order_by("number").values_list("outcome", flat=True))


def note(folder: Path) -> str:
    """A line of a program: it leaves a file with its process id, and that of a child in the background."""
    return (
        f"import os, subprocess, pathlib; child = subprocess.Popen(['sleep', '300']); "
        f"path = pathlib.Path({str(folder)!r}) / os.environ['SMARTQUEUE_ATTEMPT']; "
        "new = path.with_suffix('.new'); new.write_text(f'{os.getpid()} {child.pid}'); new.rename(path); "
    )
