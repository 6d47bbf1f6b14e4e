"""The manifests: rendered by kubectl, valid by the schemas of Kubernetes, and held to what docs/deployment.md says."""

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from django.conf import settings

from jobs.handlers import registry
from jobs.processes.worker import RELEASE_GRACE_SECONDS
from tests.deploy.manifests import (
    K8S,
    OVERLAYS,
    container,
    deployment,
    of_kind,
    pod_specs,
    rendered,
    settings_of,
    worker_types,
)

PROCESSES = ("scheduler", "watchdog", "web", "worker")
VERSION = "1.32"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_document_is_valid(overlay: str) -> None:
    for document in rendered(overlay):
        if document["apiVersion"].startswith("keda.sh/"):
            continue  # of KEDA, whose schema Kubernetes does not have: test_keda.py
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_wrong_document_is_not_valid() -> None:
    wrong = json.loads(json.dumps(deployment("prod", "web")))
    wrong["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_pod_has_a_right_that_it_does_not_need(overlay: str) -> None:
    for name, pod in pod_specs(overlay):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any(pod.get(word) for word in ("hostNetwork", "hostPID", "hostIPC")), name
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert "emptyDir" in volumes["tmp"], name
        for one in (*pod["containers"], *pod.get("initContainers", [])):
            context = one["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert "/tmp" in {mount["mountPath"] for mount in one["volumeMounts"]}, name
            for what in ("requests", "limits"):
                assert set(one["resources"][what]) == {"cpu", "memory"}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_releases_replace_pods_one_by_one_and_none_before_its_successor_is_ready(overlay: str) -> None:
    for name in PROCESSES:
        spec = deployment(overlay, name)["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        (waits,) = spec["template"]["spec"]["initContainers"]
        assert "migrate --check" in waits["command"][-1]
        assert {term["topologyKey"] for term in spec["template"]["spec"]["topologySpreadConstraints"]} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }
    migrate = of_kind(overlay, "Job")["migrate"]["spec"]["template"]["spec"]["containers"][0]
    assert migrate["command"] == ["python", "manage.py", "migrate", "--noinput"]


def test_probes_are_apart_and_liveness_asks_no_database() -> None:
    for name in PROCESSES:
        one = container("prod", name)
        startup, ready, live = (json.dumps(one[f"{kind}Probe"]) for kind in ("startup", "readiness", "liveness"))
        for probe in (startup, live):
            assert ("/healthz" in probe) if name == "web" else ('"--live"' in probe)
        assert "/readyz" in ready if name == "web" else '"--live"' not in ready
        if name != "web":
            assert one["livenessProbe"]["exec"]["command"] == ["python", "manage.py", "probe", name, "--live"]


def test_the_host_that_probes_ask_by_is_allowed() -> None:
    headers = container("prod", "web")["readinessProbe"]["httpGet"]["httpHeaders"]

    assert headers == [{"name": "Host", "value": "localhost"}]
    for overlay in OVERLAYS:
        assert "localhost" in settings_of(overlay)["ALLOWED_HOSTS"].split(",")


def test_a_worker_has_the_time_that_it_was_told_to_finish_in() -> None:
    pod = deployment("prod", "worker")["spec"]["template"]["spec"]
    drain = int(settings_of("prod")["SMARTQUEUE_DRAIN_GRACE_SECONDS"])

    assert pod["terminationGracePeriodSeconds"] >= 600
    assert pod["terminationGracePeriodSeconds"] >= drain + RELEASE_GRACE_SECONDS + 10


def test_numbers_and_what_a_drained_node_may_take() -> None:
    assert {name: deployment("prod", name)["spec"].get("replicas") for name in PROCESSES} == {
        "scheduler": 2,
        "watchdog": 2,
        # an autoscaler's: said here too, each apply would set them back
        "web": None,
        "worker": None,
    }
    budgets = {name: one["spec"] for name, one in of_kind("prod", "PodDisruptionBudget").items()}
    assert {name: one.get("minAvailable") for name, one in budgets.items()} == {
        "scheduler": 1, "watchdog": 1, "web": 1, "worker": None,
    }  # fmt: skip
    assert budgets["worker"]["maxUnavailable"] == 1
    scaled = {
        name: (one["spec"]["minReplicas"], one["spec"]["maxReplicas"], one["spec"]["metrics"][0]["resource"]["target"])
        for name, one in of_kind("prod", "HorizontalPodAutoscaler").items()
    }
    assert scaled == {
        "web": (2, 5, {"type": "Utilization", "averageUtilization": 70}),
        "worker": (1, 5, {"type": "Utilization", "averageUtilization": 50}),
    }


def test_selectors_find_their_pods() -> None:
    for overlay in OVERLAYS:
        labels = [one["spec"]["template"]["metadata"]["labels"] for one in of_kind(overlay, "Deployment").values()]
        for kind in ("PodDisruptionBudget", "Service"):
            for name, one in of_kind(overlay, kind).items():
                wanted = one["spec"]["selector"]
                wanted = wanted.get("matchLabels", wanted)
                found = [pod for pod in labels if wanted.items() <= pod.items()]
                assert len(found) == 1 or name == "postgres", f"{kind} {name}"
        ports = [port["name"] for port in container(overlay, "web")["ports"]]
        assert of_kind(overlay, "Service")["web"]["spec"]["ports"][0]["targetPort"] in ports


def test_traffic_is_refused_but_where_it_is_named() -> None:
    policies = {name: one["spec"] for name, one in of_kind("prod", "NetworkPolicy").items()}

    assert policies["nothing"]["policyTypes"] == ["Ingress", "Egress"]
    assert not policies["nothing"].keys() & {"ingress", "egress"}
    (block,) = [to["ipBlock"] for to in policies["internet"]["egress"][0]["to"]]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(block["except"])
    opened = {port["port"] for port in policies["internet"]["egress"][0]["ports"]}
    assert set(settings.HTTP_PORTS) <= opened


def test_secrets_are_made_in_dev_and_referred_to_in_prod() -> None:
    (secret,) = of_kind("dev", "Secret").values()
    assert {"DATABASE_URL", "SECRET_KEY", "JWT_SIGNING_KEY", "ENCRYPTION_KEYS"} <= secret["data"].keys()
    assert of_kind("prod", "Secret") == {}
    for overlay, pattern in (("dev", r"smartqueue-secrets-\w{10}"), ("prod", "smartqueue-secrets")):
        for name in PROCESSES:
            config, secrets = container(overlay, name)["envFrom"]
            assert re.fullmatch(pattern, secrets["secretRef"]["name"])
            # a changed setting is a new name, and so a rolling update
            assert re.fullmatch(r"smartqueue-config-\w{10}", config["configMapRef"]["name"])
    tracked = [path.name for path in K8S.rglob("*") if path.is_file() and path.name != "secrets.env"]
    assert not [name for name in tracked if name.endswith(".env") and name != "config.env"]


def test_settings_of_the_config_are_settings() -> None:
    known = (Path(settings.BASE_DIR) / "smartqueue" / "settings.py").read_text()
    for overlay in OVERLAYS:
        assert [name for name in settings_of(overlay) if f'"{name}"' not in known] == []


def test_the_ingress_leads_to_the_web_over_tls() -> None:
    ingress = of_kind("prod", "Ingress")["web"]["spec"]
    (rule,) = ingress["rules"]

    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "web", "port": {"name": "http"}}
    assert ingress["tls"][0]["hosts"] == [rule["host"]]
    assert rule["host"] in settings_of("prod")["ALLOWED_HOSTS"].split(",")
    assert of_kind("dev", "Ingress") == {}


def test_workers_take_the_types_that_run_without_namespaces() -> None:
    confined = {"shell"} | {name for name in registry.performed() if needs_namespaces(registry.get(name))}

    assert worker_types() == sorted(set(registry.performed()) - confined)


def needs_namespaces(handler: Any) -> bool:
    return bool(handler.is_confined(handler.example))


def test_yaml_says_nothing_twice() -> None:
    """A key that stands twice is silently the second for many readers."""

    class Strict(yaml.SafeLoader):
        pass

    def once(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [loader.construct_object(key, deep=deep) for key, _ in node.value]  # type: ignore[no-untyped-call]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: {keys}"
        return loader.construct_mapping(node, deep)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, once)
    for path in K8S.rglob("*.yaml"):
        list(yaml.load_all(path.read_text(), Strict))
