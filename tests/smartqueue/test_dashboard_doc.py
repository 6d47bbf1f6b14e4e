"""docs/dashboard.md: what it says is held by tests, which must be there, and all its links lead somewhere."""

import ast
import re

import pytest

from tests.process import ROOT

PAGE = (ROOT / "docs" / "dashboard.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (✓|partly: .+?|not yet: .+?) \| (.+?) \| (.+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]+))?\)")
POINTS = 69


def functions(path: str) -> set[str]:
    return {
        one.name
        for one in ast.parse((ROOT / "docs" / path).read_text(encoding="utf-8")).body
        if isinstance(one, ast.FunctionDef)
    }


def test_every_point_is_there_once_in_its_order() -> None:
    assert [int(row[0]) for row in ROW.findall(PAGE)] == list(range(1, POINTS + 1))


@pytest.mark.parametrize("row", ROW.findall(PAGE), ids=lambda row: row[0])
def test_a_point_names_tests_that_are_there(row: tuple[str, str, str, str, str]) -> None:
    number, _, state, _, tests = row
    named = LINK.findall(tests)

    assert named or state.startswith("not yet"), number
    assert [name for path, name in named if name not in functions(path)] == []


def test_all_its_links_lead_to_files() -> None:
    found = LINK.findall(PAGE)

    assert [path for path, _ in found if not (ROOT / "docs" / path).is_file()] == []
    assert all(name in functions(path) for path, name in found if path.endswith(".py"))
