"""No text of a tenant becomes code: what could make it so is not called in our packages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("smartqueue", "analytics", "jobs", "orgs", "predictor")
BANNED_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "os.spawnv", "yaml.load"}
BANNED_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "code", "runpy"}
IMPORTERS = ("import_module", "import_string")
# The operator's own list of modules, from the settings; tasks that the application's own code enqueued.
IMPORTS_BY_NAME = {"jobs/handlers/python_task.py", "jobs/handlers/django_task.py"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def keyword(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(one.value) for one in call.keywords if one.arg == name), None)


def test_nothing_evaluates_text() -> None:
    assert [f"{path}: {name}" for path, tree in modules() for name, _ in calls(tree) if name in BANNED_CALLS] == []


@pytest.mark.parametrize("module", sorted(BANNED_MODULES))
def test_nothing_rebuilds_objects_from_bytes(module: str) -> None:
    importing = [
        path
        for path, tree in modules()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and module in [name.name.split(".")[0] for name in node.names])
        or (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == module)
    ]
    assert importing == []


def test_modules_are_imported_by_name_in_known_places_only() -> None:
    found = {path for path, tree in modules() for name, _ in calls(tree) if name.endswith(IMPORTERS)}
    assert found == IMPORTS_BY_NAME


def test_no_shell_reads_a_command() -> None:
    shells = [
        path for path, tree in modules() for _, call in calls(tree) if keyword(call, "shell") not in (None, "False")
    ]
    assert shells == []


def test_arrays_are_loaded_without_pickles() -> None:
    loads = [
        (path, call) for path, tree in modules() for name, call in calls(tree) if name in ("np.load", "numpy.load")
    ]
    assert [path for path, call in loads if keyword(call, "allow_pickle") != "False"] == []
