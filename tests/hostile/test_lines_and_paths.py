"""One event stays one line of the log, a header one header, and a file where files are kept, whatever it is called."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from jobs.models import Artefact
from tests.conftest import World
from tests.factories import api
from tests.hostile.texts import HOSTILE

TEXTS = [*HOSTILE.values(), 'a\n{"level":"INFO","event":"x"}', "a\r\nb\x0bc\x0cd\x1ce", "\ud800", "x" * 1_000_000]
SCRIPT = """
import json, logging, sys
from smartqueue.logs import configure
configure({"format": sys.argv[1], "level": "INFO"})
for text in json.load(sys.stdin):
    logging.getLogger("x").warning(text)
    logging.getLogger("x").warning("name %s", text, extra={"job": text})
    logging.getLogger(text).warning("e")
"""


def logged(form: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, form], input=json.dumps(TEXTS).encode(), capture_output=True, check=True
    )
    # as a reader of lines may see them, and not only at \n
    return done.stderr.decode().splitlines()


def test_an_event_is_one_line_of_json() -> None:
    lines = logged("json")

    assert len(lines) == 3 * len(TEXTS)
    assert {json.loads(line)["level"] for line in lines} == {"warning"}
    assert not [line for line in lines if re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2066-\u2069]", line)]


def test_an_event_is_one_line_of_text_that_no_terminal_obeys() -> None:
    lines = logged("console")

    assert len(lines) == 3 * len(TEXTS)
    assert not [
        line for line in lines if re.search("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2066-\u2069]", line)
    ]


@pytest.mark.parametrize("name", ["X-Correlation-ID", "X-Request-ID", "traceparent"])
@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "\x1b[31m", "a\u2028b", "a b", "x" * 100_000])
def test_what_comes_back_in_a_header_is_not_what_was_sent(client: Client, name: str, text: str) -> None:
    answer = client.get("/healthz", headers={name: text})

    assert re.fullmatch("[0-9a-f]{32}", answer["X-Correlation-ID"])
    assert "X-Evil" not in answer.headers


PATHS = (
    *("..", ".", "../x", "/etc/passwd", "a/../../b", "..\\x", "%2e%2e%2fx", "a\0b", "CON", "nul.txt", "a.", "a ", " a"),
    *(
        "a\r\nb",
        "x" * 300,
        "x" * 120,
        "~root",
        "$HOME",
        "`id`",
        ".hidden",
        "a:b",
        "a\u202eb",
        "\u2215etc\u2215passwd",
        "|id",
        "-rf",
    ),
)


@pytest.mark.django_db
def test_a_file_is_kept_where_files_are_kept_whatever_it_is_called(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    settings.MEDIA_ROOT = str(kept)
    client: Any = api(world.operator)
    taken = 0
    for name in PATHS:
        answer = client.generic("POST", f"/api/v1/artefacts/?{encoded(name)}", b"a", content_type="text/plain")
        assert answer.status_code in {201, 400}, (name, answer.content)
        taken += answer.status_code == 201

    files = [Path(folder) / name for folder, _, names in os.walk(tmp_path) for name in names]
    assert len(files) == taken == Artefact.objects.count() > 0
    assert all(one.resolve().is_relative_to(kept) for one in files)
    # none of its name is in its path
    assert not [one for one in files if set(one.relative_to(kept).parts) & set(PATHS)]


def encoded(name: str) -> str:
    return urlencode({"name": name})
