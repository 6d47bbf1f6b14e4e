"""docs/django-tasks.md: what it shows works, from top to bottom, as it stands there."""

import doctest
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from jobs.models import Job
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.backend.conftest import RunWorker

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "django-tasks.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("acme", "acme.tasks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_the_example_works(org: Org, run_worker: RunWorker, settings: Settings, folder: Path) -> None:
    make_org("rival")
    typed: dict[str, Any] = {}
    kinds = []
    for kind, text in BLOCKS:
        kinds.append(kind)
        if kind == "pycon":
            type_in(text, typed)
        elif kind == "sh":
            assert text == "python manage.py runworker --until-empty\n"
            run_worker()
        elif text.startswith("# acme/tasks.py\n"):
            (folder / "acme").mkdir()
            (folder / "acme" / "tasks.py").write_text(text)
        else:
            assert text.startswith("# settings.py\n")
            space: dict[str, Any] = {}
            exec(compile(text, "settings.py", "exec"), space)  # noqa: S102 our own text
            assert with_org(settings.TASKS, "acme") == space["TASKS"]
            settings.TASKS = space["TASKS"]

    assert kinds == ["python", "python", "pycon", "sh", "pycon", "pycon"]
    assert Job.objects.get(pk=typed["theirs"].id).org.slug == "rival"


def type_in(text: str, space: dict[str, Any]) -> None:
    """As at the prompt: each answer must be the one shown."""
    test = doctest.DocTestParser().get_doctest(text, space, "django-tasks.md", None, None)
    said: list[str] = []
    found = doctest.DocTestRunner(verbose=False).run(test, out=said.append, clear_globs=False)
    assert found.attempted
    assert found.failed == 0, "".join(said)
    space.update(test.globs)


def with_org(tasks: dict[str, Any], slug: str) -> dict[str, Any]:
    default = tasks["default"]
    return {"default": {**default, "OPTIONS": {**default["OPTIONS"], "ORG": slug}}}


def test_every_setting_exists() -> None:
    settings = (ROOT / "smartqueue" / "settings.py").read_text(encoding="utf-8")
    named = set(re.findall(r"`(SMARTQUEUE_\w+)`", TEXT))
    assert len(named) == 4
    assert [name for name in named if f'"{name}"' not in settings] == []


def test_it_is_found_from_the_readme() -> None:
    assert "docs/django-tasks.md" in (ROOT / "README.md").read_text(encoding="utf-8")
