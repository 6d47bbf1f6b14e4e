"""Folders of attempts: theirs alone, and gone with them or with their worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as known
from pytest_django.fixtures import Settings

from jobs.processes.folders import held, sweep

HOLDER = """
import sys, time, django
django.setup()
from pathlib import Path
from jobs.processes.folders import held
with held(Path(sys.argv[1]), "job-") as folder:
    (folder / "file").write_text("half")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def root(settings: Settings, tmp_path: Path) -> Path:
    settings.WORK_ROOT = str(tmp_path / "work")
    return tmp_path / "work"


def test_it_goes_with_the_attempt_and_stays_meanwhile(root: Path) -> None:
    with held(root, "job-") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_text("x")
        assert sweep() == 0
        assert folder.is_dir()

    assert list(root.iterdir()) == []


def test_what_a_killed_worker_left_is_swept(root: Path) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "smartqueue.settings"}
    command = [sys.executable, "-c", HOLDER, str(root)]
    with subprocess.Popen(command, cwd=known.BASE_DIR, env=env, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        folder = Path(worker.stdout.readline().strip())
        assert (sweep(), (folder / "file").read_text()) == (0, "half")
        worker.kill()

    assert (sweep(), list(root.iterdir())) == (1, [])


def test_no_root_is_nothing_to_sweep() -> None:
    assert sweep() == 0


def test_what_is_no_folder_is_left_alone(root: Path) -> None:
    root.mkdir()
    (root / "file").write_text("x")
    os.symlink("/etc", root / "link")

    assert sweep() == 0
    assert {path.name for path in root.iterdir()} == {"file", "link"}
