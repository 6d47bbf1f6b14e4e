"""The Terraform module: it parses, is formatted, names what it uses, and refuses wrong inputs.

Its providers cannot be had where tests run without a network, so neither `terraform validate` nor the planning tests in
deploy/terraform/tests are run here; the inputs, which need no provider, are.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import hcl2  # type: ignore[import-untyped]
import pytest

from tests.process import ROOT

MODULE = ROOT / "deploy" / "terraform"
FILES = sorted(MODULE.rglob("*.tf")) + sorted(MODULE.rglob("*.hcl"))
NEEDED = {"image", "host", "artefact_storage", "vpc_id", "subnet_ids", "node_security_group_id"}


def parsed(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = hcl2.loads(path.read_text())  # type: ignore[no-untyped-call]
    return found


def blocks(kind: str) -> list[dict[str, Any]]:
    return [block for path in MODULE.glob("*.tf") for block in parsed(path).get(kind, [])]


def names(found: list[dict[str, Any]]) -> set[str]:
    return {bare(name) for block in found for name in block if not name.startswith("__")}


def bare(name: str) -> str:
    return name.strip('"')


def code(*paths: Path) -> str:
    """Without descriptions and comments."""
    text = "\n".join(path.read_text() for path in paths)
    return re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def terraform(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("terraform") or shutil.which("tofu")
    if not program:
        pytest.skip("NEITHER TERRAFORM NOR OPENTOFU IS INSTALLED: formatting and inputs are not checked")
    (folder / ".terraformrc").write_text("")
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": str(folder / ".terraformrc"), "CHECKPOINT_DISABLE": "1"}
    return subprocess.run([program, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(MODULE)))
def test_every_file_parses(path: Path) -> None:
    assert parsed(path)


def test_the_module_has_the_standard_files_and_no_provider_of_its_own() -> None:
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md", "examples/complete/main.tf"):
        assert (MODULE / name).is_file()
    assert blocks("provider") == []
    assert names(blocks("variable")) == names(parsed(MODULE / "variables.tf")["variable"])
    assert names(blocks("output")) == names(parsed(MODULE / "outputs.tf")["output"])


def test_every_variable_is_used_and_every_one_that_is_used_is_declared() -> None:
    declared = names(blocks("variable"))

    assert set(re.findall(r"\bvar\.(\w+)", code(*MODULE.glob("*.tf")))) == declared
    used = set(re.findall(r"\bvar\.(\w+)", code(MODULE / "main.tf", MODULE / "outputs.tf")))
    assert used == declared, "a variable that only its own validation reads does nothing"


def test_every_resource_and_local_that_is_named_is_there() -> None:
    text = code(*MODULE.glob("*.tf"))
    resources = {(bare(kind), bare(name)) for block in blocks("resource") for kind in block for name in block[kind]}
    providers = "aws|kubernetes|kustomization|random"
    for kind, name in re.findall(rf"(?<!data\.)\b((?:{providers})_\w+)\.(\w+)", text):
        assert (kind, name) in resources
    local = {bare(name) for block in blocks("locals") for name in block if not name.startswith("__")}
    assert set(re.findall(r"\blocal\.(\w+)", text)) == local


def test_every_provider_that_is_used_is_required() -> None:
    wanted = {bare(kind).split("_")[0] for what in ("resource", "data") for block in blocks(what) for kind in block}
    (required,) = (block for one in blocks("terraform") for block in one["required_providers"])

    assert wanted == {bare(name) for name in required if not name.startswith("__")}


def test_inputs_have_types_and_secrets_are_not_shown() -> None:
    for block in blocks("variable"):
        for name, body in block.items():
            assert body.get("type"), name
            assert body.get("description"), name
    kept = {bare(name) for block in blocks("variable") for name, body in block.items() if body.get("sensitive")}
    assert kept == {"secret_settings", "scaler_connection"}
    shown = {bare(name) for block in blocks("output") for name, body in block.items() if not body.get("sensitive")}
    assert shown == {"url", "namespace", "database_endpoint"}


def test_the_example_gives_what_must_be_given() -> None:
    needed = {bare(name) for block in blocks("variable") for name, body in block.items() if "default" not in body}
    (module,) = (body for one in parsed(MODULE / "examples/complete/main.tf")["module"] for body in one.values())
    given = {bare(name) for name in module if not name.startswith("__")} - {"source"}

    assert needed == NEEDED
    assert needed <= given <= names(blocks("variable"))


def test_it_is_formatted(tmp_path: Path) -> None:
    shutil.copytree(MODULE, tmp_path / "module")
    done = terraform("fmt", "-check", "-recursive", "-diff", folder=tmp_path / "module")

    assert (done.returncode, done.stdout) == (0, "")


def test_wrong_inputs_are_refused(tmp_path: Path) -> None:
    """tests/inputs.tftest.hcl, of the variables alone: they need no provider."""
    shutil.copy(MODULE / "variables.tf", tmp_path)
    text = (MODULE / "tests" / "inputs.tftest.hcl").read_text()
    (tmp_path / "inputs.tftest.hcl").write_text(text[text.index("variables {") :])

    begun = terraform("init", "-backend=false", folder=tmp_path)
    assert begun.returncode == 0, begun.stderr
    done = terraform("test", "-no-color", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    runs = len(re.findall(r"^run ", text, re.MULTILINE))
    assert f"{runs} passed, 0 failed" in done.stdout
