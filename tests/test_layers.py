"""Who may import whom: smartqueue -> analytics -> jobs -> {orgs, predictor}."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "smartqueue": {"smartqueue", "analytics", "jobs", "orgs", "predictor"},
    "analytics": {"analytics", "jobs", "orgs"},
    "jobs": {"jobs", "orgs", "predictor"},
    "orgs": {"orgs"},
    "predictor": {"predictor"},
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


@pytest.mark.parametrize("package", ALLOWED)
def test_package_imports_only_what_stands_below_it(package: str) -> None:
    strangers = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in (ROOT / package).rglob("*.py")
        for module in imported(path)
        if module.split(".")[0] in ALLOWED and module.split(".")[0] not in ALLOWED[package]
    ]
    assert strangers == []


def test_predictor_knows_only_numpy_and_the_standard_library() -> None:
    modules = {name.split(".")[0] for path in (ROOT / "predictor").rglob("*.py") for name in imported(path)}
    assert not modules & {"django", "psycopg", "rest_framework"}


KNOWN_TO_HANDLERS = (
    *("jobs.handlers", "jobs.errors", "jobs.strict_json", "jobs.tasks_api", "jobs.trace"),
    # what a filter's words mean, read without a database
    "jobs.search.language",
)


def test_handlers_know_nothing_of_the_queue() -> None:
    strangers = [
        f"{path.name} imports {module}"
        for path in (ROOT / "jobs" / "handlers").rglob("*.py")
        for module in imported(path)
        if module.split(".")[0] in ALLOWED and not module.startswith(KNOWN_TO_HANDLERS)
    ]
    assert strangers == []
