"""What manage.py check says of TASKS; and that a task may be met while Django still loads."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings
from django_tasks import default_task_backend
from pytest_django.fixtures import Settings

from tests.jobs.backend.conftest import BACKEND

ROOT = Path(__file__).parents[3]


def complaints() -> list[tuple[str | None, str]]:
    return [(one.id, one.msg) for one in run_checks() if (one.id or "").startswith("jobs.")]


def test_the_settings_are_good() -> None:
    assert complaints() == []


@pytest.mark.parametrize(
    ("options", "id", "words"),
    [
        ({"ORGS": "acme"}, "jobs.E002", "TASKS['default']: there is no option 'ORGS'."),
        ({"ORG": "Not A Slug"}, "jobs.E003", "ORG is 'Not A Slug'; it must be the slug of an organisation."),
        ({"ORG": 3}, "jobs.E003", "ORG is 3"),
        ({"MAX_ATTEMPTS": 0}, "jobs.E003", "MAX_ATTEMPTS is 0; it must be a whole number from 1 to 25."),
        ({"MAX_ATTEMPTS": 26}, "jobs.E003", "MAX_ATTEMPTS is 26"),
        ({"MAX_ATTEMPTS": "4"}, "jobs.E003", "MAX_ATTEMPTS is '4'"),
        ({"MAX_ATTEMPTS": True}, "jobs.E003", "MAX_ATTEMPTS is True"),
        ({"TIMEOUT_SECONDS": 1.5}, "jobs.E003", "TIMEOUT_SECONDS is 1.5; it must be a whole number from 1 to 21600."),
    ],
)
def test_a_bad_option_is_told(options: dict[str, Any], id: str, words: str, settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": options}}

    ((found, message),) = complaints()

    assert found == id
    assert words in message


@pytest.mark.parametrize("options", [{}, {"ORG": ""}, {"ORG": "acme", "MAX_ATTEMPTS": 25, "TIMEOUT_SECONDS": 1}])
def test_good_options_are_good(options: dict[str, Any], settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "OPTIONS": options}}

    assert complaints() == []


def test_a_name_that_no_queue_can_have_is_told(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": ["default", "Bulk Mail"]}}

    assert complaints() == [("jobs.E004", "TASKS['default']: 'Bulk Mail' cannot be the name of a queue.")]


def test_every_entry_is_looked_at(settings: Settings) -> None:
    settings.TASKS = {name: {"BACKEND": BACKEND, "OPTIONS": {"TRIES": 1}} for name in ("default", "other")}

    assert sorted(message[:15] for _, message in complaints()) == ["TASKS['default'", "TASKS['other']:"]


def test_our_app_must_be_installed() -> None:
    with override_settings(INSTALLED_APPS=[]):
        (error,) = default_task_backend.check()

    assert (error.id, error.hint) == ("jobs.E001", "Add 'jobs' to INSTALLED_APPS.")


def test_an_app_may_have_tasks_before_ours_is_loaded(tmp_path: Path) -> None:
    """Its package is imported first: a backend that needed models then could not be made."""
    app = tmp_path / "acme"
    app.mkdir()
    (app / "__init__.py").write_text("from django_tasks import task\n\n@task\ndef greet(name):\n    return name\n")
    (tmp_path / "acme_settings.py").write_text(
        "from smartqueue.settings import *\nINSTALLED_APPS = ['acme', *INSTALLED_APPS]\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "DJANGO_SETTINGS_MODULE": "acme_settings"}

    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup(); import acme; print(acme.greet.get_backend().alias)"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "default\n"), done.stderr
