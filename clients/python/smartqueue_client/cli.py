"""sq: one file a command, in commands/."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence

from smartqueue_client.commands import (
    artefacts,
    cancel,
    change,
    get,
    jobs,
    kinds,
    login,
    logout,
    logs,
    queues,
    replay,
    submit,
    top,
    work,
    workers,
)
from smartqueue_client.config import NotConfigured
from smartqueue_client.errors import ApiError, BadDownload, JobFailed, Unreachable, WaitTimeout
from smartqueue_client.version import VERSION

JOBS = (submit, jobs, get, logs, artefacts, cancel, change, replay)
COMMANDS = (login, logout, *JOBS, queues, kinds, workers, top, work)
OK, FAILED, USAGE, REFUSED, UNANSWERED, BUG, INTERRUPTED, UNREAD = 0, 1, 2, 3, 4, 70, 130, 141
ABOUT = """\
examples:
  sq login --url http://127.0.0.1:8000
  sq submit python '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}' --wait
  sq list --status failed --queue reports
  sq replay --all --queue reports

Where it is and who you are: SMARTQUEUE_URL and SMARTQUEUE_KEY (or SMARTQUEUE_TOKEN, SMARTQUEUE_ORG), else what
`sq login` has kept. A terminal is shown tables; anything else gets JSON, as does --json.

exit codes: 0 good, 1 a job that was waited for did not end as done, 2 wrong use, 3 the server refuses or has no such
thing, 4 no answer in time, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. Whatever goes wrong is one line on stderr."""
    try:
        asked = parser().parse_args(arguments)
        code: int = asked.run(asked)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # who read us has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except Exception as error:
        if os.environ.get("SMARTQUEUE_DEBUG"):
            traceback.print_exc()
        sentence, code = explained(error)
        print(f"sq: {' '.join(sentence.split())}", file=sys.stderr)
    return code


def parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON, on a terminal too")
    shared.add_argument("--url", default=argparse.SUPPRESS, help="where SmartQueue is (SMARTQUEUE_URL)")
    shared.add_argument("--org", default=argparse.SUPPRESS, help="another organisation of yours (SMARTQUEUE_ORG)")
    found = argparse.ArgumentParser(
        prog="sq",
        description="SmartQueue from a terminal.",
        epilog=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[shared],
    )
    found.add_argument("--version", action="version", version=f"sq {VERSION}")
    commands = found.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_to(commands, shared)
    return found


def explained(error: Exception) -> tuple[str, int]:
    """A sentence and an exit code."""
    if isinstance(error, (NotConfigured, ValueError, OSError)):
        return str(error), USAGE
    if isinstance(error, JobFailed):
        return str(error), FAILED
    if isinstance(error, (Unreachable, WaitTimeout)):
        return str(error), UNANSWERED
    if isinstance(error, (ApiError, BadDownload)):
        return str(error), REFUSED
    return f"a bug of sq: {type(error).__name__}: {error} (SMARTQUEUE_DEBUG=1 shows where)", BUG
