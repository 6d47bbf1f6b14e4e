"""docs/artefacts.md: its commands work in their order, what it shows is what is answered, its settings are there."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from tests.conftest import World
from tests.factories import api

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "artefacts.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^curl (?:[^\n]*\\\n)*[^\n]*", TEXT, re.MULTILINE)
(SHOWN,) = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)]
FILE = b"name,age\nada,36\ngrace,85\n"
# How curl's options are read here: what follows, or that nothing does.
ARGUMENTS = {"-H": True, "-X": True, "-d": True, "--data-binary": True, "-o": True, "-sS": False}


def asked(command: str) -> tuple[str, dict[str, list[str]]]:
    """The address and the options of a curl command."""
    words = shlex.split(command.replace("\\\n", " "))[1:]
    options: dict[str, list[str]] = {}
    address = ""
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            options.setdefault(word, []).append(words.pop(0) if ARGUMENTS[word] else "")
        else:
            address = word
    return address, options


def answered(command: str, world: World, artefact_id: str) -> Any:
    address, options = asked(command)
    headers = dict(header.split(": ", 1) for header in options["-H"])
    assert headers.pop("Authorization") == "Bearer $TOKEN"
    body = FILE if options.get("--data-binary") == ["@people.csv"] else "".join(options.get("-d", [])).encode()
    method = options.get("-X", ["POST" if body else "GET"])[0]
    path = address.removeprefix("$URL").replace("$ID", artefact_id)
    kind = headers.pop("Content-Type", "")
    return api(world.operator).generic(method, path, body, content_type=kind, headers=headers)


@pytest.mark.django_db
def test_the_commands_work_in_their_order(world: World, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    world.operator.username = "ada"
    world.operator.save()
    sent = answered(COMMANDS[0], world, "")
    assert sent.status_code == 201
    told = sent.json()
    assert told.keys() == SHOWN.keys()
    same = ("name", "content_type", "job_id", "attempt", "created_by")
    assert {name: told[name] for name in same} == {name: SHOWN[name] for name in same}

    # the link is made before the file is deleted
    order = [*COMMANDS[1:5], COMMANDS[6], COMMANDS[5]]
    responses = [answered(command, world, told["id"]) for command in order]

    assert [response.status_code for response in responses] == [200, 200, 200, 206, 201, 204]
    assert b"".join(responses[2]) == FILE
    assert b"".join(responses[3]) == FILE[:10]
    assert len(COMMANDS) == 7


def test_its_settings_are_there_with_their_defaults() -> None:
    source = (ROOT / "smartqueue" / "settings.py").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(SMARTQUEUE_\w+)` \| ([\d ]+) \|", TEXT, re.MULTILINE)

    assert len(rows) == 5
    for name, default in rows:
        assert re.search(rf'"{name}", {int(default.replace(" ", "")):_}\b', source), name
    assert all(f'"{name}"' in source for name in re.findall(r"SMARTQUEUE_\w+", TEXT))
