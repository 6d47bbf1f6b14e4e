"""docs/api.md: its blocks are pasted into a shell, and what it says of errors is what comes."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.live_server_helper import LiveServer

from jobs.models import Job
from tests.conftest import World
from tests.factories import PASSWORD, api

PAGE = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
CURL, SHELL = shutil.which("curl"), shutil.which("sh")


@pytest.mark.skipif(not CURL or not SHELL, reason="needs curl and sh")
@pytest.mark.django_db(transaction=True)
def test_the_blocks_do_what_they_show(world: World, live_server: LiveServer) -> None:
    settings_block, *blocks = BLOCKS
    assert "URL=" in settings_block
    start = f"set -eu\nURL={live_server.url}\nUSERNAME=operator\nPASSWORD='{PASSWORD}'\n"
    script = start + "\necho\n".join(block.replace("curl -sS", "curl -sS --fail-with-body") for block in blocks)

    done = subprocess.run([str(SHELL), "-c", script], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in re.sub(r"\}\{", "}\n{", done.stdout).splitlines() if line]
    assert len(answers) == 9
    assert [(answer["created"], answer["refused"]) for answer in answers if "created" in answer] == [(1, 1)]
    assert [answer["became"] for answer in answers if "became" in answer] == ["cancelled"]
    assert sorted(Job.objects.values_list("status", "queue")) == [
        *(("cancelled", "docs"), ("queued", "default"), ("queued", "docs"))
    ]


@pytest.mark.django_db
def test_the_problem_it_shows_is_the_one_that_comes(world: World) -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])

    problem = api(world.operator).post(
        "/api/v1/jobs/", {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": "two"}}}
    )

    assert {**problem.json(), "request_id": shown["request_id"]} == shown


def test_its_figures_are_the_settings() -> None:
    assert settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds() == 300
    assert settings.KEYS_MAX == 50
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == 12_000_000
    assert settings.IDEMPOTENCY_HOURS == 24
