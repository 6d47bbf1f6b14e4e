"""shell: a program of the allow-list with a list of arguments. No shell reads them."""

import os
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from jobs.handlers.base import Answer, Context, Done, Handler, Retry
from jobs.handlers.following import Followed
from jobs.handlers.sandbox import Program, SandboxMissing, announce
from jobs.handlers.schemas import Fault, token

ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# What the loader, the C library and interpreters obey: with these an allowed program runs other code.
ENV_REFUSED = re.compile(
    r"(LD|DYLD|GLIBC|MALLOC|GCONV|BASH|NODE|GIT|SSH|JAVA|JDK|_JAVA|SMARTQUEUE)_.*|(PYTHON|PERL|RUBY).*"
    r"|PATH|HOME|PWD|ENV|IFS|SHELL|SHELLOPTS|PS4|PROMPT_COMMAND|LOCPATH|NLSPATH|TERMINFO|HOSTALIASES|RES_OPTIONS"
    r"|CLASSPATH|EDITOR|VISUAL|PAGER",
)
# What the kernel takes, with room for what is put before it: 128 KiB for one, a quarter of the stack for all.
ARGUMENT_MAX_BYTES = 100_000
ARGUMENTS_MAX_BYTES = 1_000_000
RESULT_MARGIN_BYTES = 1_000


class ShellHandler(Handler):
    type = "shell"
    title = gettext_noop("Shell")
    description = gettext_noop("Runs a program that your organisation may use, with a list of arguments and no shell.")
    schema = {
        "type": "object",
        "properties": {
            "argv": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": 1_000,
                "description": "The program's absolute path, then its arguments.",
            },
            "stdin": {"type": "string", "description": "What the program reads as its standard input."},
            "env": {
                "type": "object",
                "additionalProperties": {"type": "string", "maxLength": 10_000},
                "maxProperties": 100,
                "description": "Environment variables besides the clean set the program gets.",
            },
            "expect_exit": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 255},
                "minItems": 1,
                "default": [0],
                "description": "Exit codes that count as done.",
            },
        },
        "required": ["argv"],
        "additionalProperties": False,
    }
    example = {"argv": ["/bin/echo", "hello", "from", "SmartQueue"]}

    def prepare(self) -> None:
        announce()

    def refusals(self, payload: Mapping[str, Any], org_settings: Mapping[str, Any]) -> Sequence[Fault]:
        found = program_faults(payload["argv"][0], org_settings) + argument_faults(payload["argv"])
        for name, value in payload.get("env", {}).items():
            if not ENV_NAME.fullmatch(name) or ENV_REFUSED.fullmatch(name):
                found.append((f"/env{token(name)}", "This name may not be set."))
            elif "\0" in value:
                found.append((f"/env{token(name)}", "May not hold a NUL character."))
        return found

    def run(self, context: Context) -> Answer:
        payload = context.payload
        program = payload["argv"][0]
        if not os.access(program, os.X_OK):
            return Retry(f"{program} is not installed on this worker.", error_type="ProgramMissing")
        try:
            running = Program(payload["argv"], environment(context)).start()
        except SandboxMissing as error:
            return Retry(str(error), error_type="SandboxMissing")
        except OSError as error:
            return Retry(f"{program} could not be started: {error}", error_type="ProgramNotStarted")
        followed = Followed(running, context, payload.get("stdin", "").encode())
        followed.until_end()
        context.check_stopped()
        return answer(followed, payload.get("expect_exit", [0]))


def program_faults(program: str, org_settings: Mapping[str, Any]) -> list[Fault]:
    """Both lists must name it: what the deployment has, and what the organisation may use of it."""
    allowed = [one for one in org_settings.get("shell_programs", []) if one in settings.SHELL_PROGRAMS]
    if program in allowed:
        return []
    if not allowed:
        return [("/argv/0", "This organisation may not run programs.")]
    return [("/argv/0", f"Not a program this organisation may run; there are: {', '.join(allowed)}.")]


def argument_faults(argv: Sequence[str]) -> list[Fault]:
    found = []
    for number, word in enumerate(argv):
        if "\0" in word:
            found.append((f"/argv/{number}", "May not hold a NUL character."))
        elif len(word.encode()) > ARGUMENT_MAX_BYTES:
            found.append((f"/argv/{number}", f"At most {ARGUMENT_MAX_BYTES} bytes; long input goes to stdin."))
    if not found and sum(len(word.encode()) for word in argv) > ARGUMENTS_MAX_BYTES:
        found.append(("/argv", f"At most {ARGUMENTS_MAX_BYTES} bytes in all; long input goes to stdin."))
    return found


def environment(context: Context) -> dict[str, str]:
    """A clean set, what the payload adds, and what lets the program know which job it is."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        **context.payload.get("env", {}),
        "SMARTQUEUE_JOB_ID": str(context.job_id),
        "SMARTQUEUE_ATTEMPT": str(context.attempt),
        "SMARTQUEUE_CORRELATION_ID": context.correlation_id,
    }


def answer(followed: Followed, expected: Sequence[int]) -> Answer:
    if not followed.begun:
        words = followed.stderr.text(1_000)[0].strip()
        return Retry(f"The program could not be started: {words}", error_type="ProgramNotStarted")
    # 128 + n is how shells, bubblewrap and the launcher tell of signal n.
    code = followed.process.returncode
    code = code if code >= 0 else 128 - code
    result = result_of(followed, code)
    if code in expected:
        return Done(result)
    lines = result["stderr"].strip().splitlines()
    ending = f"ended by {result['signal']}" if result["signal"] else f"exit code {code}"
    program = os.path.basename(followed.context.payload["argv"][0])
    reason = f"{program}: {ending}" + (f": {lines[-1]}" if lines else "")
    return Retry(reason[:1_000], error_type="ExitStatus", result=result)


def result_of(followed: Followed, code: int) -> dict[str, Any]:
    each = (settings.RESULT_MAX_BYTES - RESULT_MARGIN_BYTES) // 2
    stdout, stdout_cut = followed.stdout.text(each)
    stderr, stderr_cut = followed.stderr.text(each)
    return {
        "exit_code": code,
        "signal": signal_name(code),
        "stdout": stdout,
        "stderr": stderr,
        "truncated": stdout_cut or stderr_cut,
        "sandbox": "bubblewrap" if followed.running.sandboxed else "none",
    }


def signal_name(code: int) -> str | None:
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return None
