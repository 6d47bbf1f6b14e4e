"""shell jobs: real programs, in the sandbox where there is one and without it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.errors import InvalidPayload
from jobs.handlers import registry, sandbox
from jobs.handlers.base import Done, Retry, Stopped, StopReason
from jobs.handlers.results import json_result
from tests.eventually import eventually
from tests.jobs.handlers.fakes import in_thread, make_context, reported, run


def shell(*argv: str, **payload: Any) -> Any:
    return run("shell", {"argv": list(argv), **payload})


def script(text: str, **payload: Any) -> Any:
    return shell("/bin/sh", "-c", text, **payload)


def refused(programs: list[str] | None = None, **payload: Any) -> dict[str, str]:
    with pytest.raises(InvalidPayload) as refusal:
        registry.get("shell").check(payload, {"shell_programs": ["/bin/echo"] if programs is None else programs})
    return dict(refusal.value.errors)


# --- what runs --------------------------------------------------------------------------------------------------


def test_a_program_runs_and_its_output_is_the_result(way: str) -> None:
    assert shell("/bin/echo", "hi") == Done(
        {"exit_code": 0, "signal": None, "stdout": "hi\n", "stderr": "", "truncated": False, "sandbox": way}
    )


@pytest.mark.parametrize(
    "word",
    [
        *("; id", "$(id)", "`id`", "a\nb", "a b", "*", "| cat", "&& id", "> /tmp/x", "'", '"', "\\", "", "--", "-e"),
        *("$HOME", "${IFS}", "~", "ü😀", "\x1b[31m", "%s%n", "--help;id", "\r\n", "\u2028"),
    ],
)
def test_arguments_reach_the_program_as_they_are(way: str, word: str) -> None:
    answer = shell("/bin/echo", "-", word)
    assert answer.result["stdout"] == f"- {word}\n"


def test_the_example_runs(way: str) -> None:
    answer = run("shell", registry.get("shell").example)
    assert answer.result["stdout"] == "hello from SmartQueue\n"


def test_standard_input_is_the_payloads(way: str) -> None:
    assert shell("/usr/bin/wc", "-c", stdin="grüße\n").result["stdout"] == "8\n"


def test_standard_input_may_be_long(way: str) -> None:
    assert shell("/usr/bin/wc", "-c", stdin="x" * 1_000_000).result["stdout"] == "1000000\n"


@pytest.mark.parametrize("text", ["exit 0", "head -c 3 >/dev/null", "exec <&-; sleep 0.1"])
def test_standard_input_need_not_be_read(way: str, text: str) -> None:
    assert isinstance(script(text, stdin="x" * 1_000_000), Done)


def test_without_standard_input_there_is_none(way: str) -> None:
    assert shell("/bin/cat").result["stdout"] == ""


def test_the_environment_is_clean_but_for_what_is_given(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")

    answer = run("shell", {"argv": ["/usr/bin/printenv"], "env": {"COLOUR": "grün", "LANG": "C"}}, attempt=2)

    variables = dict(line.split("=", 1) for line in answer.result["stdout"].splitlines())
    assert variables.pop("HOME") == variables.pop("PWD")
    assert variables == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C",
        "COLOUR": "grün",
        "SMARTQUEUE_JOB_ID": "018f0000-0000-7000-8000-00000000000a",
        "SMARTQUEUE_ATTEMPT": "2",
        "SMARTQUEUE_CORRELATION_ID": "corr-1",
    }


def test_output_is_logged_line_by_line_with_its_stream(way: str) -> None:
    context = make_context("shell", {"argv": ["/bin/sh", "-c", "echo one; echo two; echo bad >&2; printf end"]})

    registry.get("shell").perform(context)

    assert reported(context).of("stdout") == ["one", "two", "end"]
    assert reported(context).of("stderr") == ["bad"]


def test_output_is_logged_while_the_program_runs(way: str) -> None:
    context = make_context("shell", {"argv": ["/bin/sh", "-c", "echo started; sleep 600"]})
    thread, ends = in_thread(context)

    assert eventually(lambda: reported(context).of("stdout")) == ["started"]

    context.stop(StopReason.CANCELLED)
    thread.join(10)
    assert isinstance(ends[0], Stopped)


# --- how it ends ------------------------------------------------------------------------------------------------


def test_an_exit_code_that_is_not_expected_is_retried(way: str) -> None:
    answer = script("echo partly; echo first >&2; echo no space left >&2; exit 3")

    assert isinstance(answer, Retry)
    assert answer.error_type == "ExitStatus"
    assert answer.reason == "sh: exit code 3: no space left"
    assert (answer.result["exit_code"], answer.result["stdout"]) == (3, "partly\n")


def test_an_exit_code_that_is_expected_is_done(way: str) -> None:
    assert isinstance(script("exit 3", expect_exit=[0, 3]), Done)
    assert isinstance(script("exit 0", expect_exit=[3]), Retry)


@pytest.mark.parametrize("name", ["KILL", "SEGV", "TERM"])
def test_a_signal_is_named(way: str, name: str) -> None:
    answer = script(f"kill -{name} $$")

    assert isinstance(answer, Retry)
    assert answer.reason == f"sh: ended by SIG{name}"
    assert answer.result["signal"] == f"SIG{name}"


def test_a_program_that_is_not_there_is_retried_elsewhere(way: str, settings: Settings) -> None:
    settings.SHELL_PROGRAMS = ["/usr/bin/not-there"]
    answer = shell("/usr/bin/not-there")
    assert answer == Retry("/usr/bin/not-there is not installed on this worker.", error_type="ProgramMissing")


def test_a_program_that_closes_its_output_is_waited_for(way: str) -> None:
    answer = script("exec >&- 2>&-; sleep 0.3; exit 4")
    assert answer.result["exit_code"] == 4


# --- output -----------------------------------------------------------------------------------------------------


def test_long_output_keeps_its_beginning_and_its_end(way: str, settings: Settings) -> None:
    settings.SHELL_OUTPUT_MAX_BYTES = 40
    context = make_context("shell", {"argv": ["/usr/bin/seq", "1", "1000"]})

    answer = registry.get("shell").perform(context)

    assert isinstance(answer, Done)
    assert answer.result["truncated"]
    assert answer.result["stdout"] == (
        "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n… 3853 bytes left out …\n96\n997\n998\n999\n1000\n"
    )
    assert reported(context).of("stdout") == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]


def test_output_of_just_the_limit_is_whole(way: str, settings: Settings) -> None:
    settings.SHELL_OUTPUT_MAX_BYTES = 10
    result = shell("/bin/echo", "123456789").result
    assert (result["stdout"], result["truncated"]) == ("123456789\n", False)


@pytest.mark.parametrize("what", ["/dev/zero", "/dev/urandom"])
def test_binary_output_becomes_text_that_can_be_kept(way: str, settings: Settings, what: str) -> None:
    settings.SHELL_OUTPUT_MAX_BYTES = 500_000
    answer = shell("/usr/bin/head", "-c", "1000000", what)

    assert answer.result["truncated"]
    assert json_result(answer.result) == answer.result


def test_output_without_end_fills_neither_memory_nor_log(way: str) -> None:
    context = make_context("shell", {"argv": ["/bin/sh", "-c", "yes"]}, timeout_seconds=0.5)
    with pytest.raises(Stopped):
        registry.get("shell").perform(context)

    assert context.stop_reason is StopReason.TIMEOUT
    assert sum(len(line) for line in reported(context).of("stdout")) <= 100_000


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "program",
    [
        *("/bin/sh", "../../bin/sh", "/bin/../bin/sh", "/bin/../bin/echo", "/bin//echo", "/bin/./echo", "bin/echo"),
        *("echo", "/usr/bin/echo", "/bin/echo ", "/bin/echo\n", "/bin/echo;id", "/bin/echo --version", "/BIN/ECHO"),
        *("", ".", "/", "/bin", "sh -c id", "/proc/self/exe", "/bin/echo\0", "~/echo", "$SHELL", "/bin/cat"),
    ],
)
def test_only_the_organisations_programs_run_by_their_exact_path(program: str) -> None:
    assert "/argv/0" in refused(argv=[program, "x"])


def test_an_organisation_without_programs_runs_none() -> None:
    assert refused([], argv=["/bin/echo"]) == {"/argv/0": "This organisation may not run programs."}


def test_what_an_organisation_has_but_the_deployment_has_not_does_not_run() -> None:
    assert "/argv/0" in refused(["/bin/sh", "/bin/echo"], argv=["/bin/sh"])
    assert refused(["/bin/sh"], argv=["/bin/sh"]) == {"/argv/0": "This organisation may not run programs."}


def test_the_program_is_checked_again_when_it_runs(settings: Settings) -> None:
    settings.SHELL_PROGRAMS = ["/bin/cat"]
    with pytest.raises(InvalidPayload):
        shell("/bin/echo", "hi")


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({}, "/argv"),
        ({"argv": []}, "/argv"),
        ({"argv": "/bin/echo hi"}, "/argv"),
        ({"argv": ["/bin/echo", 1]}, "/argv/1"),
        ({"argv": ["/bin/echo", None]}, "/argv/1"),
        ({"argv": ["/bin/echo", "a\0b"]}, "/argv/1"),
        ({"argv": ["/bin/echo", "x" * 1_000_000]}, "/argv/1"),
        ({"argv": ["/bin/echo", *["x" * 90_000] * 12]}, "/argv"),
        ({"argv": ["/bin/echo"] * 1_001}, "/argv"),
        ({"argv": ["/bin/echo"], "shell": True}, "/shell"),
        ({"argv": ["/bin/echo"], "cwd": "/"}, "/cwd"),
        ({"argv": ["/bin/echo"], "stdin": 1}, "/stdin"),
        ({"argv": ["/bin/echo"], "expect_exit": [256]}, "/expect_exit/0"),
        ({"argv": ["/bin/echo"], "expect_exit": []}, "/expect_exit"),
        ({"argv": ["/bin/echo"], "env": {"A": 1}}, "/env/A"),
        ({"argv": ["/bin/echo"], "env": {"A": "x\0"}}, "/env/A"),
    ],
)
def test_a_payload_of_another_shape_is_refused(payload: dict[str, Any], pointer: str) -> None:
    assert refused(**payload).keys() == {pointer}


@pytest.mark.parametrize(
    "name",
    [
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_DEBUG_OUTPUT", "GLIBC_TUNABLES", "GCONV_PATH", "PATH"),
        *("BASH_ENV", "BASH_FUNC_echo%%", "ENV", "IFS", "SHELLOPTS", "PS4", "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT"),
        *("RUBYOPT", "NODE_OPTIONS", "GIT_SSH_COMMAND", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "HOSTALIASES", "HOME"),
        *("SMARTQUEUE_JOB_ID", "", "A=B", "A B", "1A", "Ä", "A\0", "A\n", "a-b", "x" * 65),
    ],
)
def test_variables_that_change_what_runs_are_refused(name: str) -> None:
    assert refused(argv=["/bin/echo"], env={name: "x"}).keys() == {f"/env/{name}"}


@pytest.mark.parametrize("name", ["COLOUR", "A", "_x1", "AWS_REGION", "LDAP", "PATHS", "environment"])
def test_other_variables_are_not(name: str) -> None:
    registry.get("shell").check({"argv": ["/bin/echo"], "env": {name: "x"}}, {"shell_programs": ["/bin/echo"]})


# --- with and without a sandbox ---------------------------------------------------------------------------------


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *more: None if name == "bwrap" else found(name, *more))
    sandbox.sandbox_fault.cache_clear()
    yield
    sandbox.sandbox_fault.cache_clear()


def test_where_a_sandbox_is_required_nothing_runs_without_it(no_bubblewrap: None, settings: Settings) -> None:
    settings.SHELL_SANDBOX = "required"

    answer = shell("/bin/echo", "hi")

    assert answer == Retry(
        "Shell jobs are refused on this worker: bubblewrap (bwrap) is not installed.", error_type="SandboxMissing"
    )


def test_auto_runs_without_one_where_there_is_none(no_bubblewrap: None, settings: Settings) -> None:
    settings.SHELL_SANDBOX = "auto"
    assert shell("/bin/echo", "hi").result["sandbox"] == "none"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("auto", "SHELL JOBS RUN WITHOUT A SANDBOX: bubblewrap (bwrap) is not installed."),
        ("required", "SHELL JOBS ARE REFUSED: bubblewrap (bwrap) is not installed."),
        ("off", "SHELL JOBS RUN WITHOUT A SANDBOX: SMARTQUEUE_SHELL_SANDBOX is off"),
    ],
)
def test_a_worker_says_loudly_when_there_is_no_sandbox(
    no_bubblewrap: None, settings: Settings, caplog: pytest.LogCaptureFixture, setting: str, words: str
) -> None:
    settings.SHELL_SANDBOX = setting

    registry.prepare(["shell"])

    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [("WARNING", words)]


def test_a_sandbox_that_fails_is_not_the_programs_failure(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: no space left' >&2\nexit 1\n")
    broken.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o755)
    settings.SHELL_SANDBOX = "required"
    monkeypatch.setattr(sandbox, "sandbox_fault", lambda: "")
    monkeypatch.setattr(shutil, "which", lambda name, *more: str(broken))

    assert shell("/bin/echo", "hi") == Retry(
        "The program could not be started: bwrap: no space left", error_type="ProgramNotStarted"
    )


def test_a_bubblewrap_that_does_not_work_is_not_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, no_bubblewrap: None
) -> None:
    settings.SHELL_SANDBOX = "required"
    monkeypatch.setattr(shutil, "which", lambda name, *more: "/bin/false")

    answer = shell("/bin/echo", "hi")

    assert isinstance(answer, Retry)
    assert answer.error_type == "SandboxMissing"
    assert "bubblewrap does not work here" in answer.reason
