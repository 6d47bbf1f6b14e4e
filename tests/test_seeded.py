"""The known bugs of tests/seeded.py can still be put into the code."""

import shutil
from pathlib import Path

import pytest

from tests.seeded import BUGS, ROOT, Bug, seed


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_known_bug_has_its_place(bug: Bug, tmp_path: Path) -> None:
    (tmp_path / bug.file).parent.mkdir(parents=True)
    shutil.copy(ROOT / bug.file, tmp_path / bug.file)

    seed(tmp_path, bug)

    assert (tmp_path / bug.file).read_text() != (ROOT / bug.file).read_text()
    assert all((ROOT / path).exists() for path in bug.tests)
