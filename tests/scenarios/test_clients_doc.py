"""docs/clients.md: its blocks are pasted into a shell, and its program is run, against a real web with a worker."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orgs.tokens import give_tokens
from tests.factories import PASSWORD
from tests.process import ROOT
from tests.processes import Fleet
from tests.scenarios.terminal import CLIENT, SQ
from tests.scenarios.test_sq import House

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SHELL_BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHELL = shutil.which("sh")
URL, PERSON = "http://127.0.0.1:8000", "otto"
# The page's numbers of jobs, and as many as show that more than one call and one page of them are made.
MANY, FEWER = ("seq 10000", "range(10_000)"), ("seq 1200", "range(1_200)")


@pytest.fixture
def house(fleet: Fleet) -> House:
    house = House(fleet)
    house.works()
    return house


@pytest.mark.skipif(not SHELL, reason="needs sh")
def test_the_blocks_do_what_they_show(house: House, tmp_path: Path) -> None:
    (tmp_path / "sq").write_text(f'#!/bin/sh\nexec {" ".join(SQ)} "$@"\n')
    (tmp_path / "sq").chmod(0o755)
    (tmp_path / "password").write_text(PASSWORD + "\n")
    login, *blocks = SHELL_BLOCKS
    assert URL in login
    assert PERSON in login
    login = login.replace(URL, house.url).replace(PERSON, "ada").strip() + " < password\n"
    script = "set -eu\n" + login + "".join(f"echo block {n}\n{block}" for n, block in enumerate(blocks))
    assert MANY[0] in script

    done = subprocess.run(
        [str(SHELL), "-c", script.replace(MANY[0], FEWER[0])],
        cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": CLIENT},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    first, many, look, dead = re.split(r"block \d\n", done.stdout)[1:]
    submitted, delayed, result = [json.loads(line) for line in first.splitlines()]
    assert (submitted["result"], delayed["status"], result) == (3, "scheduled", 3)
    assert many == ""
    outcomes = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    assert [outcome["status"] for outcome in outcomes] == ["created"] * 1_200
    assert "1202" in look.split()
    assert (dead.count("as it should"), dead.count("once more")) == (1, 1)
    *_, mended, dry, replayed, unended = [json.loads(line) for line in dead.splitlines() if line.startswith("{")]
    assert mended["result"] == 42
    assert (dry, replayed) == ({"matching": 1, "more": False}, {"replayed": 1})
    # the one that is to run tomorrow
    assert unended == {"matching": 1, "more": False}


def test_the_program_does_what_it_says(house: House, tmp_path: Path) -> None:
    signing_in = 'client.sign_in("ada", "password")'
    assert signing_in in PROGRAM
    token = str(give_tokens(house.admin).access_token)
    program = (
        PROGRAM.replace(URL, house.url)
        .replace('token="…"', f'token="{token}"')
        .replace(signing_in, signing_in.replace('"password"', repr(PASSWORD)))
        .replace(MANY[1], FEWER[1])
    )
    assert program.count(FEWER[1]) == 1

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, env={"HOME": str(tmp_path), "PYTHONPATH": CLIENT}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stdout.splitlines()[0] == "3"
