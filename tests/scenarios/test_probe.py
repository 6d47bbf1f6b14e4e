"""What an orchestrator asks a worker, a scheduler and a watchdog, of real processes: `manage.py probe`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.models import Lease, WorkerProcess
from jobs.processes.pulse import Pulse
from smartqueue.probe import trouble_of
from tests.factories import make_job
from tests.process import ROOT
from tests.processes import Fleet, patiently

# No statement of a test's process takes so long, and a mark is renewed at least once a second.
SECONDS = "10"


class Prober:
    """Asks about the processes of one folder."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": fleet.environ["PATH"], "SMARTQUEUE_PROBE_DIR": str(folder)}
        fleet.environ["SMARTQUEUE_PROBE_DIR"] = str(folder)

    def ask(self, kind: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "probe", kind, *words]
        return subprocess.run(command, cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False)

    def well(self, kind: str, *words: str) -> bool:
        return self.ask(kind, "--seconds", SECONDS, *words).returncode == 0


@pytest.fixture
def prober(fleet: Fleet, tmp_path: Path) -> Prober:
    return Prober(fleet, tmp_path / "probe")


@pytest.mark.parametrize("kind", ["worker", "scheduler", "watchdog"])
def test_a_process_is_well_until_it_hangs_or_ends(fleet: Fleet, prober: Prober, kind: str) -> None:
    assert "no such process" in prober.ask(kind).stderr
    process = fleet.manage(f"run{kind}")
    patiently(lambda: prober.well(kind) and prober.well(kind, "--live"))

    process.send(signal.SIGSTOP)

    patiently(lambda: prober.ask(kind, "--seconds", "2", "--live").returncode == 1)
    assert "the last turn was" in prober.ask(kind, "--seconds", "1", "--live").stderr
    patiently(lambda: "the last beat was" in prober.ask(kind, "--seconds", "2").stderr)
    process.send(signal.SIGCONT)
    patiently(lambda: prober.well(kind) and prober.well(kind, "--live"))

    process.send(signal.SIGTERM)

    assert process.ended() == 0, process.text
    assert "no such process" in prober.ask(kind).stderr


def test_without_a_database_a_process_lives_and_is_not_ready(fleet: Fleet, prober: Prober) -> None:
    nobody = "postgres://nobody:none@127.0.0.1:1/none"
    for kind in ("worker", "scheduler", "watchdog"):
        fleet.manage(f"run{kind}", DATABASE_URL=nobody)
    for kind in ("worker", "scheduler", "watchdog"):
        patiently(lambda kind=kind: prober.well(kind, "--live"))  # type: ignore[misc]
        assert prober.ask(kind).returncode == 1


def test_a_drain_that_lasts_is_alive(fleet: Fleet, prober: Prober, tmp_path: Path) -> None:
    (worker,) = fleet.workers(1, SMARTQUEUE_DRAIN_GRACE_SECONDS="600")
    make_job(payload={"task": "tests.until_file", "kwargs": {"path": str(tmp_path / "never")}})
    patiently(Lease.objects.exists)
    worker.send(signal.SIGTERM)
    patiently(WorkerProcess.objects.filter(pid=worker.pid, status="draining").exists)
    (mark,) = prober.folder.glob("worker-*.turn")

    mark.unlink()

    # only a loop that still goes round makes it anew
    patiently(lambda: prober.well("worker", "--live"))
    assert worker.running


def test_what_a_killed_process_left_is_passed_over(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    Pulse(tmp_path, "worker", gone.pid).beat()

    assert "no such process" in trouble_of(tmp_path, "worker", "beat", 1000)


def test_one_of_several_that_hangs_is_told(tmp_path: Path) -> None:
    others = [subprocess.Popen(["sleep", "60"]) for _ in range(2)]
    try:
        for process in others:
            Pulse(tmp_path, "worker", process.pid).turn()
        assert trouble_of(tmp_path, "worker", "turn", 1000) == ""
        os.utime(tmp_path / f"worker-{others[0].pid}.turn", (0, 0))
        assert trouble_of(tmp_path, "worker", "turn", 1000).startswith(f"worker {others[0].pid}: the last turn was")
    finally:
        for process in others:
            process.kill()
            process.wait()


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    pulse = Pulse(tmp_path / "taken", "worker", 1)

    pulse.turn()
    pulse.beat()

    assert pulse.broken
