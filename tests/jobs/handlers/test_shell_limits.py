"""What a shell job's program cannot do: stay, take too much, or see what is not its own."""

import json
import os
import resource
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest
from pytest_django.fixtures import Settings

from jobs.handlers import registry, sandbox
from jobs.handlers.base import Done, Retry, Stopped, StopReason
from tests.eventually import eventually
from tests.jobs.handlers.fakes import in_thread, make_context, reported, run
from tests.proofs import figure, times

# Each starts programs that are told apart by {mark}, and ends or does not end.
CLINGING = {
    "plain": "sleep 1000.{mark}",
    "children": "sleep 1000.{mark} & sleep 1001.{mark} & wait",
    "own session": "setsid sleep 1000.{mark} & sleep 1001.{mark}",
    "deaf": "trap '' TERM HUP INT; sleep 1000.{mark} & sleep 1001.{mark}; sleep 1002.{mark}",
    "deaf in a session of its own": "setsid sh -c \"trap '' TERM; sleep 1000.{mark}; sleep 1.{mark}\" & sleep 9.{mark}",
    "double fork": "(setsid sh -c 'setsid sleep 1000.{mark} & exit' &) ; sleep 1001.{mark}",
    "forks for ever": "while :; do setsid sleep 1000.{mark} & sleep 0.05; done",
    "computes": "trap '' TERM; while :; do :; done; sleep 1000.{mark}",
    "stopped": "sleep 1000.{mark} & kill -STOP $!; sleep 1001.{mark}",
}
LEFT_BEHIND = {
    "in the background": "sleep 1000.{mark} & exit 0",
    "in a session of its own": "setsid sleep 1000.{mark} & exit 0",
    "with its output closed": "setsid sleep 1000.{mark} >/dev/null 2>&1 </dev/null & exit 0",
    "deaf": "setsid sh -c \"trap '' TERM HUP; sleep 1000.{mark}; sleep 1000.{mark}\" >/dev/null 2>&1 & exit 0",
}


@pytest.fixture
def mark() -> str:
    """Digits, so that sleep takes them as part of a number."""
    return str(uuid.uuid4().int)[:12]


def survivors(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if any(mark in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid != os.getpid()]


def script(text: str, **fields: Any) -> Any:
    return run("shell", {"argv": ["/bin/sh", "-c", text]}, **fields)


# --- nothing stays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CLINGING)
def test_nothing_survives_the_timeout(way: str, mark: str, kind: str) -> None:
    context = make_context("shell", {"argv": ["/bin/sh", "-c", CLINGING[kind].format(mark=mark)]}, timeout_seconds=0.5)

    with pytest.raises(Stopped):
        registry.get("shell").perform(context)

    assert context.stop_reason is StopReason.TIMEOUT
    assert eventually(lambda: survivors(mark) == [])


@pytest.mark.parametrize("reason", [StopReason.CANCELLED, StopReason.DRAIN, StopReason.LEASE_LOST])
@pytest.mark.parametrize("kind", ["deaf in a session of its own", "children"])
def test_nothing_survives_being_stopped(way: str, mark: str, kind: str, reason: StopReason) -> None:
    context = make_context("shell", {"argv": ["/bin/sh", "-c", CLINGING[kind].format(mark=mark)]})
    thread, ends = in_thread(context)
    eventually(lambda: survivors(mark))

    context.stop(reason)

    thread.join(10)
    assert isinstance(ends[0], Stopped)
    assert eventually(lambda: survivors(mark) == [])


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_nothing_survives_the_programs_own_end(way: str, mark: str, kind: str) -> None:
    answer = script(LEFT_BEHIND[kind].format(mark=mark))

    assert isinstance(answer, Done)
    assert eventually(lambda: survivors(mark) == [])


@pytest.mark.parametrize("kind", ["deaf in a session of its own", "double fork"])
def test_nothing_survives_a_worker_that_is_killed(way: str, mark: str, kind: str) -> None:
    argv = json.dumps(["/bin/sh", "-c", CLINGING[kind].format(mark=mark)])
    environ = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "smartqueue.settings",
        "SMARTQUEUE_SHELL_SANDBOX": "required" if way == "bubblewrap" else "off",
        "SMARTQUEUE_SHELL_PROGRAMS": "/bin/sh",
    }
    worker = subprocess.Popen([sys.executable, "-m", "tests.jobs.handlers.doomed", argv], env=environ)
    eventually(lambda: len(survivors(mark)) > 1, within_seconds=30)

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    assert eventually(lambda: survivors(mark) == [])


def test_in_the_sandbox_nothing_begins_for_a_worker_that_is_gone(sandboxed: None) -> None:
    running = sandbox.Program(["/bin/sh", "-c", "echo began"], {}).start()

    # As the kernel does for a worker that was killed: its end of the pipe is closed.
    written, _ = running.process.communicate()

    assert written == sandbox.READY
    assert running.process.returncode != 0


def test_a_program_is_asked_to_end_before_it_is_killed(way: str) -> None:
    text = "trap 'echo tidying up; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    context = make_context("shell", {"argv": ["/bin/sh", "-c", text]})
    thread, ends = in_thread(context)
    eventually(lambda: reported(context).of("stdout"))

    context.stop(StopReason.CANCELLED)

    thread.join(10)
    assert isinstance(ends[0], Stopped)
    assert reported(context).of("stdout") == ["ready", "tidying up"]


# --- nothing is taken beyond its limits -------------------------------------------------------------------------


def test_a_fork_bomb_ends_with_its_job(way: str, mark: str, settings: Settings) -> None:
    settings.SHELL_MAX_PROCESSES = 30
    bomb = f"b() {{ sleep 1000.{mark} & b & b; }}; b"
    context = make_context("shell", {"argv": ["/bin/sh", "-c", bomb]}, timeout_seconds=5)

    answer = registry.get("shell").perform(context)

    assert isinstance(answer, Retry)
    assert "Cannot fork" in answer.result["stderr"]
    assert eventually(lambda: survivors(mark) == [])


def test_memory_is_limited(way: str, settings: Settings) -> None:
    settings.SHELL_MEMORY_MAX_BYTES = 60_000_000
    answer = script("head -c 300000000 /dev/zero | tail -c 200000000 | wc -c; exit 0")
    assert "memory" in answer.result["stderr"]


def test_two_gigabytes_of_output_are_cut_and_take_no_memory(way: str, settings: Settings) -> None:
    settings.SHELL_OUTPUT_MAX_BYTES = 10_000
    megabytes = times(200, 2_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = script(f"head -c {megabytes}000000 /dev/zero", timeout_seconds=300)

    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    figure(f"F15 output, shell, {way}", megabytes_written=megabytes, memory_grown_megabytes=round(grown / 1024, 1))
    assert isinstance(answer, Done)
    assert answer.result["truncated"]
    assert "bytes left out" in answer.result["stdout"]
    assert grown < 50_000


def test_files_are_limited(way: str, settings: Settings) -> None:
    settings.SHELL_FILE_MAX_BYTES = 1_000_000
    answer = script("head -c 5000000 /dev/zero > big; stat -c %s big; exit 0")
    assert int(answer.result["stdout"]) <= 1_000_000


def test_open_files_and_core_dumps_are_limited(way: str, settings: Settings) -> None:
    settings.SHELL_MAX_OPEN_FILES = 77
    assert script("ulimit -n; ulimit -c").result["stdout"] == "77\n0\n"


# --- nothing is seen that is not its own ------------------------------------------------------------------------


def test_the_working_folder_is_empty_private_and_gone_afterwards(way: str) -> None:
    result = script("pwd; ls -A; touch made && ls; stat -c %a .").result

    folder, *rest = result["stdout"].splitlines()
    assert rest in (["made", "700"], ["made", "755"])
    assert not Path(folder, "made").exists()
    assert folder == "/work" if way == "bubblewrap" else not Path(folder).exists()


def test_the_program_has_no_rights_and_can_gain_none(way: str) -> None:
    status = dict(line.split(":\t", 1) for line in script("cat /proc/self/status").result["stdout"].splitlines())

    assert status["NoNewPrivs"] == "1"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    if os.getuid() == 0:
        assert set(status["Uid"].split()) == {"65534"}


def test_no_open_file_of_the_worker_is_inherited(way: str) -> None:
    # 3 is the listing's own.
    assert script("ls /proc/self/fd").result["stdout"].split() == ["0", "1", "2", "3"]


@pytest.fixture
def sandboxed(settings: Settings) -> None:
    if why_not := sandbox.sandbox_fault():
        pytest.skip(f"NOT TESTED IN THE SANDBOX: {why_not}")
    settings.SHELL_SANDBOX = "required"
    settings.SHELL_PROGRAMS = ["/bin/sh"]


@pytest.mark.parametrize(
    "text",
    [
        "cat /etc/passwd",
        "cat /etc/shadow",
        "cat /root/.bashrc",
        "ls /home",
        "ls /var",
        "ls /run",
        "touch /x",
        "touch /usr/x",
        "touch /etc/x",
        "echo 1 > /proc/sys/kernel/panic",
        "mount -t tmpfs none /mnt",
        "ls -A /tmp | grep .",
        "grep -v 'lo:\\|Inter\\|face' /proc/net/dev",
        "unshare -Ur true",
    ],
)
def test_the_sandbox_holds(sandboxed: None, text: str) -> None:
    answer = script(text)
    assert isinstance(answer, Retry), answer


def test_the_sandbox_shows_only_its_own_processes(sandboxed: None) -> None:
    listed = script("ls /proc | grep -c '^[0-9]'").result["stdout"]
    assert int(listed) <= 6


def test_a_program_outside_usr_is_shown_alone(sandboxed: None, settings: Settings, tmp_path_factory: Any) -> None:
    folder = Path("/opt" if os.access("/opt", os.W_OK) else tmp_path_factory.mktemp("opt")) / uuid.uuid4().hex
    folder.mkdir(mode=0o755)
    try:
        program = folder / "hello"
        program.write_text("#!/bin/sh\nls " + str(folder) + "\n")
        program.chmod(0o755)
        (folder / "secret").write_text("x")
        settings.SHELL_PROGRAMS = [str(program)]
        assert run("shell", {"argv": [str(program)]}).result["stdout"] == "hello\n"
    finally:
        for one in folder.iterdir():
            one.unlink()
        folder.rmdir()
