"""Jobs sent over REST to a real web server and run by two real workers: each once."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import urllib3

from jobs.models import Attempt, Job, Lease, Ready
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.factories import make_member, make_org
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, Receiver, patiently

IDLE_JOBS, JOBS, THREADS = 100, 200, 8


class Client:
    """Submits with a person's token over kept connections."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(maxsize=THREADS, retries=False, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def answers(self) -> bool:
        try:
            return self.pool.request("GET", f"{self.url}/healthz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def submit(self, type: str, payload: dict[str, Any]) -> tuple[str, float]:
        """The job's id, and when the reply was here."""
        body = json.dumps({"type": type, "payload": payload})
        reply = self.pool.request("POST", f"{self.url}/api/v1/jobs/", body=body, headers=self.headers)
        replied = time.time()
        assert reply.status == 201, reply.data
        return reply.json()["id"], replied


def test_two_hundred_jobs_of_three_types_run_once_each(fleet: Fleet, counting: Receiver, tmp_path: Path) -> None:
    fleet.environ["SMARTQUEUE_HTTP_ALLOW_HOSTS"] = counting.address
    org = make_org("acme", shell_programs=["/bin/echo"])
    token = give_tokens(make_member(org, Role.OPERATOR)).access_token
    client = Client(fleet.web(), str(token))
    fleet.workers(2, "--concurrency", "5")
    patiently(client.answers)
    marks = tmp_path / "marks"
    print(idle_pickup(client, marks))

    def submit(number: int) -> tuple[str, str]:
        type, payload = [
            ("http", {"url": f"http://{counting.address}/{number}"}),
            ("shell", {"argv": ["/bin/echo", str(number)]}),
            ("python", {"task": "tests.mark", "kwargs": {"path": str(marks)}}),
        ][number % 3]
        return type, client.submit(type, payload)[0]

    with ThreadPoolExecutor(THREADS) as threads:
        sent = list(threads.map(submit, range(JOBS)))

    ids = {job_id for _, job_id in sent}
    assert len(ids) == JOBS
    patiently(lambda: Job.objects.filter(pk__in=ids, status="done").count() == JOBS)
    assert Counter(map(str, Attempt.objects.filter(job_id__in=ids).values_list("job_id", flat=True))) == Counter(ids)
    by_http = {job_id for type, job_id in sent if type == "http"}
    assert counting.hits == Counter(by_http)
    by_python = Counter(line.split()[0] for line in marks.read_text().splitlines())
    assert {job_id: by_python[job_id] for type, job_id in sent if type == "python"} == Counter(
        job_id for type, job_id in sent if type == "python"
    )
    by_shell = Job.objects.filter(pk__in=[job_id for type, job_id in sent if type == "shell"])
    assert all(job.result["exit_code"] == 0 for job in by_shell)
    assert not Ready.objects.exists()
    assert not Lease.objects.exists()
    assert_whole()


def idle_pickup(client: Client, marks: Path) -> str:
    """From the reply of the submission to the first line of the handler, on workers with nothing else to do."""
    replied: dict[str, float] = {}
    for _ in range(IDLE_JOBS):
        job_id, at = client.submit("python", {"task": "tests.mark", "kwargs": {"path": str(marks)}})
        replied[job_id] = at
        patiently(lambda job_id=job_id: Job.objects.filter(pk=job_id, status="done").exists(), every_seconds=0.005)
    began = dict(Job.objects.filter(pk__in=replied).values_list("pk", "result"))
    assert len(began) == IDLE_JOBS
    waits = sorted(began[pk] - replied[str(pk)] for pk in began)
    p50, p95 = (waits[int(len(waits) * part)] * 1000 for part in (0.5, 0.95))
    return f"idle pickup, reply to handler start: p50 {p50:.1f} ms, p95 {p95:.1f} ms, most {waits[-1] * 1000:.1f} ms"
