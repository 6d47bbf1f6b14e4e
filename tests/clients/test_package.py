"""The package as pip takes it, and what its page says."""

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from smartqueue_client import Client, cli, types

from tests.process import ROOT

SOURCE = ROOT / "clients" / "python"
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


def test_pip_installs_it_into_a_new_environment(tmp_path: Path) -> None:
    copy, place = tmp_path / "source", tmp_path / "venv"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    venv.create(place, with_pip=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([*pip, str(copy)], capture_output=True, text=True, timeout=300, check=False, env=environ)
    if done.returncode and re.search("setuptools|connection|index", done.stderr, re.IGNORECASE):
        pytest.skip(f"pip could not fetch what it builds with: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr

    said = subprocess.run([str(place / "bin" / "sq"), "--version"], capture_output=True, text=True, check=False)
    assert said.stdout == "sq 0.1.0\n", said.stderr
    found = "import smartqueue_client as s, pathlib; print((pathlib.Path(s.__file__).parent / 'py.typed').exists())"
    typed = subprocess.run([str(place / "bin" / "python"), "-c", found], capture_output=True, text=True, check=False)
    assert typed.stdout == "True\n", typed.stderr


def test_the_client_brings_in_nothing_but_the_standard_library() -> None:
    code = "import sys, smartqueue_client.cli; print(sorted({name.split('.')[0] for name in sys.modules}))"
    environ = {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environ)

    strangers = set(re.findall(r"'(\w+)'", done.stdout)) - set(sys.stdlib_module_names) - {"smartqueue_client"}
    assert {name for name in strangers if not name.startswith(("__", "_sys"))} <= {"sitecustomize", "usercustomize"}


def test_its_page_names_what_there_is() -> None:
    for name in re.findall(r"client\.(\w+)\(", PAGE):
        assert hasattr(Client, name), name
    commands = set(re.findall(r"^(?:.*\| )?sq (\w+)", PAGE, re.MULTILINE))
    for command in commands:
        with pytest.raises(SystemExit) as left:
            cli.main([command, "--help"])
        assert left.value.code == 0, command
    assert types.ENDED == ("done", "failed", "cancelled")
