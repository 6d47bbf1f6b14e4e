"""A minute of `make chaos`: a whole deployment under load and faults, and nothing that must hold is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.process import ROOT

SECONDS, SEED, RATE = 60, 1, 20


def test_a_minute_of_faults_breaks_nothing(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    # its own database: nothing of the tests' may show through
    theirs = {"DATABASE_URL", "SMARTQUEUE_STATE_DIR", "SMARTQUEUE_TESTING"}
    environ = {name: value for name, value in os.environ.items() if name not in theirs}
    command = [sys.executable, "-m", "tests.chaos", "--seconds", str(SECONDS), "--seed", str(SEED), "--rate", str(RATE)]
    command += ["--slack", "4"]

    done = subprocess.run(
        [*command, "--report", str(report)], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    print(done.stdout[-6000:], done.stderr[-3000:])
    assert done.returncode == 0
    figures = json.loads(report.read_text())
    # as many as were wanted come of a machine that does nothing else
    assert figures["acknowledged"] > SECONDS
    assert sum(figures["faults"].values()) >= 3
