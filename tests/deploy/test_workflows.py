"""The workflows are valid, and do what `make ci` does."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())["jobs"]
    return found


def named_steps(name: str) -> dict[str, str]:
    """What is run, by the name of its step."""
    return {step["name"]: step["run"] for job in jobs(name).values() for step in job["steps"] if "name" in step}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_fits_the_schema_of_github(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_and_make_ci_have_the_same_steps() -> None:
    (steps,) = re.findall(r"^CI_STEPS := (.+)$", MAKEFILE, re.MULTILINE)

    assert sorted(named_steps("ci.yml")) == sorted(steps.split())
    for step, run in named_steps("ci.yml").items():
        assert run == f"make ci-{step}"
        assert re.search(rf"^ci-{step}:", MAKEFILE, re.MULTILINE)


def test_tests_run_on_every_python_and_postgresql_that_is_promised() -> None:
    tests = jobs("ci.yml")["tests"]

    assert tests["strategy"]["matrix"] == {"python": ["3.11", "3.12", "3.13"], "postgres": ["15", "16", "17", "18"]}
    assert "${{ matrix.postgres }}" in tests["services"]["postgres"]["image"]
    assert "${{ matrix.python }}" in tests["container"]


def test_a_release_is_tried_before_it_is_pushed_by_its_tag_and_its_commit() -> None:
    (image,) = jobs("release.yml").values()
    names = [step.get("name", step.get("uses", "")) for step in image["steps"]]
    (tags,) = [step["with"]["tags"] for step in image["steps"] if step.get("id") == "meta"]

    assert names.index("smoke") < next(number for number, name in enumerate(names) if "build-push" in name)
    assert {line.split(",")[0] for line in tags.split()} == {"type=semver", "type=sha"}


def test_make_ci_says_what_it_leaves_out() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "ci-image", "ci-smoke", "ENGINE=", "BUILDER="],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["LEFT OUT: no container engine"] * 2
