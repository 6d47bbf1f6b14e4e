"""`make audit`: every pinned package is looked up, one with a known weakness fails it, and one passed over does too."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.process import ROOT

LOCKS = [*ROOT.glob("requirements*.txt"), *ROOT.glob("bench/requirements*.txt")]
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE | re.IGNORECASE)
WEAK = "django"

Asked = set[tuple[str, str]]


@contextmanager
def weaknesses(*weak: str) -> Iterator[tuple[str, Asked]]:
    """A server that speaks as https://google.github.io/osv.dev/post-v1-query does, and what it was asked."""
    asked: Asked = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = query["package"]["name"], query["version"]
            asked.add((name, version))
            found = {
                "id": "OSV-1",
                "affected": [{"package": {"name": name, "ecosystem": "PyPI"}}],
                "summary": "weak",
                "aliases": [],
            }
            body = json.dumps({"vulns": [found]} if name in weak else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
        server.shutdown()


def audit(url: str, *locks: Path) -> subprocess.CompletedProcess[str]:
    """What `make audit` runs, asking another place, or of other lock files."""
    code = "import sys; from pathlib import Path; from deploy import audit; "
    code += "sys.exit(audit.main(sys.argv[1:5], [*map(Path, sys.argv[5:])] or audit.LOCKS))"
    command = [sys.executable, "-c", code, "-s", "osv", "--osv-url", url, *map(str, locks)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_pinned_package_is_looked_up_whatever_python_it_is_for() -> None:
    with weaknesses() as (url, asked):
        done = audit(url)

    assert done.returncode == 0, done.stderr
    pinned = {found for path in LOCKS for found in PINNED.findall(path.read_text())}
    assert len(pinned) > 100
    assert asked == pinned
    assert len([name for name, _ in pinned if name == "scipy"]) > 1


def test_a_known_weakness_fails_it() -> None:
    with weaknesses(WEAK) as (url, _):
        done = audit(url)

    assert done.returncode == 1
    assert re.search(rf"{WEAK} +\S+ +OSV-1", done.stdout)


@pytest.mark.parametrize("line", ["-e .", "sqlparse @ https://example.com/sqlparse.zip", "./vendored", "sqlparse>=0.5"])
def test_a_package_that_would_be_passed_over_fails_it(tmp_path: Path, line: str) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text(f"# ours\nsqlparse==0.5.3 \\\n    --hash=sha256:{'0' * 64}\n{line}\n")

    with weaknesses() as (url, asked):
        done = audit(url, lock)

    assert (done.returncode, asked) == (1, set())
    assert line in done.stderr


def test_one_that_nobody_knows_fails_it(tmp_path: Path) -> None:
    """Asked of PyPI itself, which does not know it or, from here, does not answer."""
    lock = tmp_path / "lock.txt"
    lock.write_text("a-package-that-nobody-ever-made==1.0\n")
    command = [sys.executable, "-c", "import sys; from pathlib import Path; from deploy import audit; "
               "sys.exit(audit.main(['--timeout', '5'], [Path(sys.argv[1])]))", str(lock)]  # fmt: skip

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "FAILED" in done.stdout


def test_it_is_what_make_audit_runs() -> None:
    # nor where this itself is run by a make
    environ = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "ARGS"}}
    command = ["make", "--no-print-directory", "--dry-run", "audit"]
    shown = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)

    assert shown.stdout.rstrip().endswith("dev deploy/audit.py")
