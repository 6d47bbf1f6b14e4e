"""python -m tests.seeded [name ...]: put a known bug into a copy of the tree, and see that the tests catch it.

Exit status 1 when one of the bugs passes. Each is what a queue can get wrong about its promise.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
COPIED = ("analytics", "bench", "jobs", "orgs", "predictor", "smartqueue", "static", "templates", "tests", "docs")
FILES = ("manage.py", "pyproject.toml", "openapi.yaml", "Makefile", "README.md")


class Bug(NamedTuple):
    """`old` in a file becomes `new`; `tests` are those of the suite that should see it."""

    file: str
    old: str
    new: str
    tests: tuple[str, ...]


QUEUE = (
    "tests/jobs/queue/test_finish.py",
    "tests/jobs/queue/test_any_order.py",
    "tests/jobs/queue/test_interleavings.py",
)
BUGS = {
    "an end without its fence": Bug(
        "jobs/queue/sql/finish.sql",
        "\n      AND lease.attempt = (%(ended)s::jsonb -> lease.token::text ->> 'attempt')::int",
        "",
        (*QUEUE, "tests/scenarios/test_late_workers.py"),
    ),
    "an answer before the commit is flushed": Bug(
        "jobs/queue/session.py",
        "    assert row is not None\n",
        '    assert row is not None\n    session.execute("SET synchronous_commit = off")\n',
        ("tests/jobs/queue/test_session.py", "tests/scenarios/test_database_faults.py"),
    ),
    "an end forgotten before its commit": Bug(
        "jobs/processes/worker.py",
        "            settled = self.finish_all()\n        self.forget(settled)\n        return True\n",
        "            ended, self.unsettled = self.unsettled, []\n"
        "            for attempt, _ in ended:\n"
        "                self.attempts.pop(attempt.claimed.token, None)\n"
        "            finish_each([one for _, one in ended], worker_name=self.presence.name)\n"
        "        return True\n",
        ("tests/jobs/processes", "tests/scenarios/test_outage.py"),
    ),
    "a claim without the row lock": Bug(
        "jobs/queue/sql/claim.sql",
        "        FOR UPDATE SKIP LOCKED\n",
        "",
        ("tests/jobs/queue/test_claim.py", *QUEUE),
    ),
    "a leader that writes after its term": Bug(
        "jobs/queue/sql/share_term.sql",
        "WHERE epoch = %(epoch)s AND ended_at IS NULL\nFOR KEY SHARE",
        "WHERE epoch = %(epoch)s",
        ("tests/jobs/processes/test_leader.py", "tests/jobs/processes/test_scheduler.py"),
    ),
}


def main(names: list[str]) -> int:
    passed = [name for name in names or list(BUGS) if not caught(name, BUGS[name])]
    for name in passed:
        print(f"NOT CAUGHT: {name}")
    return 1 if passed else 0


def caught(name: str, bug: Bug) -> bool:
    with tempfile.TemporaryDirectory(prefix="smartqueue-seeded-") as folder:
        tree = Path(folder)
        for each in COPIED:
            shutil.copytree(ROOT / each, tree / each, ignore=shutil.ignore_patterns("__pycache__"))
        for each in FILES:
            shutil.copy(ROOT / each, tree / each)
        seed(tree, bug)
        environ = {key: value for key, value in os.environ.items() if key != "SMARTQUEUE_STATE_DIR"}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *bug.tests]
        done = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    print(f"{name}: {len(failures)} tests fail", flush=True)
    for line in failures[:10]:
        print(f"  {line[:160]}", flush=True)
    # 1: tests failed; anything else is no answer
    return done.returncode == 1 and bool(failures)


def seed(tree: Path, bug: Bug) -> None:
    """Raises ValueError when the code has changed, so that there is nothing to put the bug into."""
    path = tree / bug.file
    text = path.read_text()
    if text.count(bug.old) != 1:
        raise ValueError(f"{bug.file} has changed: {bug.old!r} is in it {text.count(bug.old)} times")
    path.write_text(text.replace(bug.old, bug.new))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
