"""The manifests of deploy/k8s as kubectl renders them."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process import ROOT

KUBECTL = Path(sys.executable).parent / "kubectl"
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("dev", "prod", "prod-keda")
Document = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Document, ...]:
    """All documents of an overlay."""
    if not KUBECTL.exists():
        pytest.skip("KUBECTL IS NOT INSTALLED: the manifests are not rendered")
    # makes what dev wants and git does not take
    subprocess.run(["sh", K8S / "overlays/dev/secrets.sh"], check=True)
    command = [KUBECTL, "kustomize", K8S / "overlays" / overlay]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Document]:
    """By name."""
    return {one["metadata"]["name"]: one for one in rendered(overlay) if one["kind"] == kind}


def deployment(overlay: str, name: str) -> Document:
    return of_kind(overlay, "Deployment")[name]


def pod_specs(overlay: str) -> Iterator[tuple[str, Document]]:
    for one in rendered(overlay):
        if one["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def container(overlay: str, name: str) -> Document:
    (found,) = deployment(overlay, name)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def settings_of(overlay: str) -> dict[str, str]:
    (config,) = of_kind(overlay, "ConfigMap").values()
    found: dict[str, str] = config["data"]
    return found


def worker_types() -> list[str]:
    """The job types that the pods of the worker take."""
    (word,) = [word for word in container("prod", "worker")["args"] if word.startswith("--types=")]
    return sorted(word.removeprefix("--types=").split(","))
