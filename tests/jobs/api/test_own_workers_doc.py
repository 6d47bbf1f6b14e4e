"""docs/own-workers.md: the calls, options, settings and files that it names are there."""

import os
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from jobs.api.worker_urls import urlpatterns
from tests.conftest import World
from tests.factories import api
from tests.process import ROOT

TEXT = (ROOT / "docs" / "own-workers.md").read_text(encoding="utf-8")


def test_every_call_is_in_the_table() -> None:
    served = {str(pattern.pattern).replace("<str:lease>", "<lease>") for pattern in urlpatterns}

    assert {
        row.partition("?")[0] for row in re.findall(r"^\| `([a-z<>/]+(?:\?name=…)?)` \|", TEXT, re.MULTILINE)
    } == served


@pytest.mark.django_db
def test_the_command_that_makes_a_key_works(world: World) -> None:
    (words,) = [shlex.split(text.replace("\\\n", "")) for text in re.findall(r"^curl.*?\n```", TEXT, re.M | re.S)]
    path, body = words[words.index("-sS") + 1].removeprefix("$URL"), words[words.index("-d") + 1].strip("`\n")

    response: Any = api(world.owner).post(path, body, content_type="application/json")

    assert response.status_code == 201
    assert response.json()["token"].startswith("sq_live_")


def test_the_options_of_sq_and_the_settings_exist() -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")}
    told = subprocess.run(
        [sys.executable, "-m", "smartqueue_client", "work", "--help"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    settings = (ROOT / "smartqueue" / "settings.py").read_text(encoding="utf-8")

    named = set(re.findall(r"`(--\w+)`", TEXT))
    assert named == {"--lease", "--renew", "--drain"}
    assert [option for option in named if option not in told] == []
    assert [name for name in re.findall(r"`(SMARTQUEUE_WORKER_\w+)`", TEXT) if f'"{name}"' not in settings] == []


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)

    assert len(links) >= 4
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
