"""Leases, due times and expiry are told by the database's clock alone: hosts disagree, and are set while we run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = sorted([*(ROOT / "jobs/queue").rglob("*.py"), *(ROOT / "jobs/processes").rglob("*.py")])
HOST_CLOCKS = {
    "timezone.now",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}
# The bounds of what is accepted are checked before anything is stored; whether a job is due the database says.
# The age of a file is told by the clock that wrote its time.
# What is only foretold, and stored by nobody, may be out by as much as clocks differ.
ALLOWED = {
    "jobs/queue/change.py snooze_faults: timezone.now",
    "jobs/queue/new_job.py due_faults: timezone.now",
    "jobs/queue/upkeep.py old_files: time.time",
    "jobs/queue/forecast.py forecast: timezone.now",
    "jobs/queue/places.py is_due: timezone.now",
    "jobs/queue/backlog.py read: time.time",
}


def uses_of_a_host_clock(path: Path) -> set[str]:
    """`file function: clock` of each use; the innermost function around it is named."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: dict[ast.AST, str] = {}
    for node in ast.walk(tree):  # outer nodes come first
        for child in ast.iter_child_nodes(node):
            inside[child] = node.name if isinstance(node, ast.FunctionDef) else inside.get(node, "the module")
    names = {node: ast.unparse(node) for node in inside if isinstance(node, ast.Attribute)}
    names |= {
        alias: f"{node.module}.{alias.name}".removeprefix("django.utils.")
        for node in inside
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    where = path.relative_to(ROOT)
    return {f"{where} {inside[node]}: {name}" for node, name in names.items() if name in HOST_CLOCKS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_host_clock(path: Path) -> None:
    assert uses_of_a_host_clock(path) <= ALLOWED


def test_a_use_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.jobs.test_clock.ROOT", tmp_path)
    path = tmp_path / "bad.py"
    path.write_text("from time import time\nX = datetime.now(UTC)\ndef due():\n    return timezone.now()\n")

    assert uses_of_a_host_clock(path) == {
        "bad.py the module: time.time",
        "bad.py the module: datetime.now",
        "bad.py due: timezone.now",
    }


@pytest.mark.parametrize("path", sorted((ROOT / "jobs/queue/sql").glob("*.sql")), ids=lambda path: path.name)
def test_no_clock_that_stands_still_in_a_transaction(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()

    assert not any(word in text for word in ("now()", "current_timestamp", "transaction_timestamp", "localtimestamp"))
