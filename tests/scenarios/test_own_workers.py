"""An organisation's own workers as they are: `sq work` and the examples, over HTTP, on a real web."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path
from statistics import median, quantiles

import psutil
import pytest

from jobs.models import Job, WorkerProcess
from orgs.keys import revoke_key
from orgs.models import ApiKey
from orgs.scope import find_scope
from orgs.tokens import give_tokens
from tests.factories import api
from tests.process import ROOT
from tests.processes import Fleet, patiently
from tests.scenarios.own import CLIENT, Site, ended, lines, note, outcomes, state

pytestmark = pytest.mark.django_db(transaction=True)

ECHO = """
import json, os, sys
asked = json.load(sys.stdin)
print("got", asked["input"], flush=True)
print("careful", file=sys.stderr, flush=True)
print(json.dumps({"twice": asked["input"] * 2, "job": os.environ["SMARTQUEUE_JOB_ID"],
                  "attempt": os.environ["SMARTQUEUE_ATTEMPT"]}))
"""


@pytest.fixture
def site(fleet: Fleet) -> Site:
    return Site(fleet)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if lives(pid)]


def pids_in(folder: Path, attempt: int = 1) -> list[int]:
    path = folder / str(attempt)
    patiently(path.exists)
    return [int(pid) for pid in path.read_text().split()]


def test_sq_runs_a_program_for_each_job(site: Site) -> None:
    worker = site.sq("--slots", "2", program=ECHO)
    first, second = site.job(21), site.job("ab", max_attempts=1)

    assert ended(first, "done").result == {"twice": 42, "job": str(first.pk), "attempt": "1"}
    assert ended(second, "done").result["twice"] == "abab"
    assert ("stdout", "got 21") in lines(first)
    assert ("stderr", "careful") in lines(first)
    (shown,) = [one for one in api(site.admin).get("/api/v1/workers/").json()["items"] if one["types"] == ["external"]]
    assert (shown["status"], shown["slots"], shown["version"]) == ("online", 2, "sq/0.1.0")
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0
    assert WorkerProcess.objects.get(org_id=site.org.pk).status == "offline"


def test_a_waiting_worker_has_a_new_job_within_a_third_of_a_second(site: Site) -> None:
    worker = site.sq(program="print(1)")
    patiently(lambda: WorkerProcess.objects.filter(org_id=site.org.pk, status="online").exists())
    waits = []
    for _ in range(15):
        time.sleep(0.5)  # the last one has been told of, and the worker asks again
        job = ended(site.job(), "done")
        assert job.started_at is not None
        assert job.queued_at is not None
        waits.append((job.started_at - job.queued_at).total_seconds())

    assert worker.running
    print(f"from queued to leased: median {median(waits) * 1000:.0f} ms, latest {max(waits) * 1000:.0f} ms")
    assert median(waits) < 0.4


def test_lines_are_seen_while_the_program_runs(site: Site) -> None:
    site.sq(program="import time; print('first'); time.sleep(300)")
    job = site.job()

    patiently(lambda: ("stdout", "first") in lines(job))

    assert state(job) == "running"


@pytest.mark.parametrize(
    ("program", "status", "said"),
    [
        ("print('plain words')", "done", "plain words"),
        ("print('x' * 300_000)", "done", None),
        ("import sys; sys.exit(100)", "failed", "exit code 100"),
        ("import sys; sys.stderr.write('broken pipe\\n'); sys.exit(3)", "failed", "exit code 3\nbroken pipe"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed", "ended by SIGSEGV"),
    ],
    ids=["text", "long line", "permanent", "code", "signal"],
)
def test_how_a_program_ends_is_how_its_job_ends(site: Site, program: str, status: str, said: str | None) -> None:
    tries = 1 if "100" not in program else 3
    site.sq(program=program)
    job = ended(site.job(max_attempts=tries), status)

    assert len(outcomes(job)) == 1
    if status == "failed":
        assert job.error == said
    elif said:
        assert job.result == said


def test_a_failure_is_tried_again(site: Site) -> None:
    site.sq(program="import os, sys; sys.exit(0 if os.environ['SMARTQUEUE_ATTEMPT'] == '2' else 1)")

    job = ended(site.job(max_attempts=2), "done")

    assert outcomes(job) == ["error", "done"]


def test_a_killed_worker_loses_its_lease_and_another_does_the_job(site: Site, tmp_path: Path) -> None:
    program = note(tmp_path) + "import time; time.sleep(300 if os.environ['SMARTQUEUE_ATTEMPT'] == '1' else 0)"
    first = site.sq("--lease", "3", program=program)
    job = site.job(max_attempts=3)
    pids = pids_in(tmp_path)

    os.kill(first.pid, signal.SIGKILL)
    site.sq("--lease", "3", program=program)

    ended(job, "done")
    assert outcomes(job) == ["lost", "done"]
    # its program went with it; what that had started in the background is beyond reach
    patiently(lambda: not alive(pids[:1]))
    for pid in alive(pids[1:]):
        os.kill(pid, signal.SIGKILL)


def test_sigterm_finishes_what_runs_and_takes_no_more(site: Site, tmp_path: Path) -> None:
    worker = site.sq(program=note(tmp_path) + "import time; time.sleep(3); print(1)")
    job = site.job()
    pids_in(tmp_path)

    worker.send(signal.SIGTERM)
    later = site.job()

    assert worker.ended() == 0
    assert (state(job), state(later)) == ("done", "queued")
    assert outcomes(job) == ["done"]
    assert WorkerProcess.objects.get(org_id=site.org.pk).status == "offline"


def test_what_does_not_end_in_time_is_given_back_without_burning_a_try(site: Site, tmp_path: Path) -> None:
    worker = site.sq("--drain", "0.5", program=note(tmp_path) + "import time; time.sleep(300)")
    job = site.job(max_attempts=1)
    pids = pids_in(tmp_path)

    worker.send(signal.SIGTERM)

    assert worker.ended() == 0
    assert (state(job), outcomes(job)) == ("queued", ["released"])
    patiently(lambda: not alive(pids))


def test_a_waiting_worker_that_is_told_to_stop_takes_nothing_with_it(site: Site) -> None:
    for _ in range(3):
        worker = site.sq(program="print(1)")
        patiently(lambda: WorkerProcess.objects.filter(org_id=site.org.pk, status="online").exists())
        worker.send(signal.SIGTERM)
        assert worker.ended() == 0
        job = site.job()
        time.sleep(0.5)  # twice what the web looks for those who wait
        assert (state(job), outcomes(job)) == ("queued", [])
        job.delete()


def test_a_cancelled_job_is_ended_within_two_seconds_with_all_it_started(site: Site, tmp_path: Path) -> None:
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
    site.sq(program=note(tmp_path) + stubborn)
    took = []
    for _ in range(3):
        shutil.rmtree(tmp_path, ignore_errors=True)
        tmp_path.mkdir()
        job = site.job()
        pids = pids_in(tmp_path)
        assert api(site.admin).post(f"/api/v1/jobs/{job.pk}/cancellation/", {}).status_code == 202
        began = time.monotonic()
        patiently(lambda pids=pids: not alive(pids), every_seconds=0.02)  # type: ignore[misc]
        took.append(time.monotonic() - began)
        ended(job, "cancelled")
        assert outcomes(job) == ["cancelled"]

    print("cancelled after", [f"{seconds:.2f} s" for seconds in took])
    assert min(took) < 2.0
    assert max(took) < 4.0  # on a machine that others share


def test_a_job_beyond_its_time_is_ended_as_timeout(site: Site, tmp_path: Path) -> None:
    site.sq(program=note(tmp_path) + "import time; time.sleep(300)")
    job = site.job(timeout_seconds=3, max_attempts=1)
    pids = pids_in(tmp_path)

    failed = ended(job, "failed")

    assert (outcomes(job), failed.error) == (["timeout"], "Ran longer than its timeout of 3 s.")
    patiently(lambda: not alive(pids))


def test_a_revoked_key_ends_the_worker_and_what_it_runs(site: Site, tmp_path: Path) -> None:
    worker = site.sq("--slots", "2", program=note(tmp_path) + "import time; time.sleep(300)")
    job = site.job(max_attempts=1)
    pids = pids_in(tmp_path)

    revoke_key(ApiKey.objects.get().prefix, scope=find_scope(site.admin, "acme"))

    assert worker.ended() == 3
    assert "The server refuses" in worker.text
    patiently(lambda: not alive(pids))
    ended(job, "failed")
    assert outcomes(job) == ["lost"]


def test_a_web_that_is_away_for_a_while_costs_nothing(site: Site, tmp_path: Path) -> None:
    site.sq("--lease", "60", program=note(tmp_path) + "import time; time.sleep(2); print(1)")
    job = site.job(max_attempts=1)
    pids_in(tmp_path)
    web = site.fleet.processes[0]

    web.send(signal.SIGSTOP)
    workers = psutil.Process(web.pid).children()
    for one in workers:
        one.send_signal(signal.SIGSTOP)
    time.sleep(6)
    for one in workers:
        one.send_signal(signal.SIGCONT)
    web.send(signal.SIGCONT)

    ended(job, "done")
    assert outcomes(job) == ["done"]


@pytest.mark.parametrize("language", ["python", "node"])
def test_the_examples_of_the_documentation_work(site: Site, language: str) -> None:
    path = ROOT / "docs" / "examples" / ("worker.py" if language == "python" else "worker.mjs")
    interpreter = sys.executable if language == "python" else shutil.which("node")
    if interpreter is None:
        pytest.skip("there is no node here")
    assert len(path.read_text().splitlines()) <= 60
    site.started(interpreter, str(path), "own")
    good, bad = (site.job([1, 2, 3]), site.job(max_attempts=1))
    Job.objects.filter(pk=good.pk).update(payload={"task": "sum", "input": [1, 2, 3]})

    assert ended(good, "done").result == {"sum": 6}
    assert lines(good) == [("log", "sum begins")]
    assert ended(bad, "failed").error == "I do not know how to t"


def test_the_client_is_whole_as_a_package(tmp_path: Path) -> None:
    """What pip reads: every folder is in the list, the command leads to a function, and nothing else is needed."""
    with (Path(CLIENT) / "pyproject.toml").open("rb") as file:
        told = tomllib.load(file)
    folders = {str(path.parent.relative_to(CLIENT)).replace("/", ".") for path in Path(CLIENT).rglob("__init__.py")}

    assert set(told["tool"]["setuptools"]["packages"]) == folders
    assert not told["project"].get("dependencies")
    module, _, function = told["project"]["scripts"]["sq"].partition(":")
    call = f"import sys; from {module} import {function}; sys.argv = ['sq', '--version']; {function}()"
    ran = subprocess.run(
        [sys.executable, "-S", "-c", call], env={"PYTHONPATH": CLIENT}, capture_output=True, text=True, check=False
    )
    assert ran.stdout == f"sq {told['project']['version']}\n", ran.stderr


def test_fifty_that_wait_keep_the_web_answering(site: Site) -> None:
    """Of 2 web processes with 8 threads, 3 of which may wait: the rest is told to come again."""
    end, answers = time.monotonic() + 8, []
    person = give_tokens(site.admin).access_token

    def wait(number: int) -> None:
        asked = {"worker": f"w-{number}", "queues": ["own"], "wait_seconds": 5}
        while time.monotonic() < end:
            response = site.post("worker/claims/", asked)
            answers.append(response.status)
            time.sleep(float(response.headers.get("Retry-After", "0")))

    callers = [threading.Thread(target=wait, args=(number,)) for number in range(50)]
    for caller in callers:
        caller.start()
    health, submits = [], []
    time.sleep(1)
    while time.monotonic() < end:
        began = time.monotonic()
        assert site.http.request("GET", f"{site.url}/healthz").status == 200
        health.append(time.monotonic() - began)
        began = time.monotonic()
        add = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, "queue": "other"}
        assert site.post("jobs/", add, person).status == 201
        submits.append(time.monotonic() - began)
    for caller in callers:
        caller.join()

    assert set(answers) == {204}
    for name, seconds in (("healthz", health), ("submit", submits)):
        middle, late = median(seconds), quantiles(seconds, n=20)[18]
        print(f"50 long polls: {name} p50 {middle * 1000:.0f} ms, p95 {late * 1000:.0f} ms of {len(seconds)}")
        # the machine may be another's meanwhile; a web without a free thread would take the five seconds of a poll
        assert middle < 1.0
