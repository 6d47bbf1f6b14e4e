"""compose.yaml, read by Docker Compose itself, and .env.example beside what is read of it."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.handlers import registry
from tests.deploy.manifests import worker_types
from tests.process import ROOT

COMPOSE = Path(sys.executable).parent / "docker-compose"
GIVEN = {
    "SECRET_KEY": "s" * 32,
    "JWT_SIGNING_KEY": "j" * 32,
    "ENCRYPTION_KEYS": "k1:" + "e" * 32,
    "POSTGRES_PASSWORD": "pg",
    "SMARTQUEUE_METRICS_TOKEN": "token",
    "GRAFANA_PASSWORD": "g",
}
PROFILES = [word for name in ("sandbox", "stream", "source") for word in ("--profile", name)]
EXAMPLE = (ROOT / ".env.example").read_text()
READERS = {
    *("env_bool", "env_choice", "env_connections", "env_default", "env_int", "env_keys", "env_list", "env_mail"),
    *("kafka_bootstrap", "kafka_connection", "kafka_topic", "sqs_queue", "env_events"),
    *("env_ports", "env_rate", "env_retries", "env_seconds", "env_str", "env_template", "rate", "required_secret"),
}
# Read elsewhere, and by whom.
ELSEWHERE = {
    "DATABASE_URL": "smartqueue/database.py",
    "SMARTQUEUE_STATE_DIR": "smartqueue/state.py",
    "SMARTQUEUE_PROBE_DIR": "smartqueue/state.py",
}
# Of tests alone.
UNNAMED = {"SMARTQUEUE_TESTING"}


def config(given: dict[str, str]) -> subprocess.CompletedProcess[str]:
    if not COMPOSE.exists():
        pytest.skip("DOCKER COMPOSE IS NOT INSTALLED: compose.yaml is not read")
    command = [COMPOSE, "--env-file", "/dev/null", *PROFILES, "config"]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


@cache
def services() -> dict[str, Any]:
    done = config(GIVEN)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@pytest.mark.parametrize("missing", GIVEN)
def test_nothing_starts_without_a_secret(missing: str) -> None:
    done = config({name: value for name, value in GIVEN.items() if name != missing})

    assert done.returncode != 0
    assert f"set {missing}" in done.stderr


def test_every_process_is_there_and_begins_in_order() -> None:
    assert set(services()) == {
        *("postgres", "migrate", "web", "scheduler", "worker", "sandbox-worker", "watchdog"),
        *("stream", "source", "prometheus", "grafana"),
    }
    assert services()["scheduler"]["deploy"]["replicas"] == 2
    waits = {name: one.get("depends_on", {}) for name, one in services().items()}
    assert waits["migrate"]["postgres"]["condition"] == "service_healthy"
    for name in ("web", "scheduler", "worker", "sandbox-worker", "watchdog", "stream", "source"):
        assert waits[name]["migrate"]["condition"] == "service_completed_successfully"
    assert waits["prometheus"]["web"]["condition"] == "service_healthy"
    assert waits["grafana"]["prometheus"]["condition"] == "service_healthy"


def test_every_process_that_stays_is_asked_how_it_is() -> None:
    for name, one in services().items():
        if name in {"migrate", "web"}:
            continue  # ends; by the HEALTHCHECK of the image
        if name in {"stream", "source"}:
            assert one["healthcheck"] == {"disable": True}  # the alert SmartQueueStreamLate says how the stream is
            continue
        check = one["healthcheck"]["test"]
        kind = name.removeprefix("sandbox-")
        if kind in {"scheduler", "worker", "watchdog"}:
            assert check == ["CMD", "python", "manage.py", "probe", kind]


def test_ours_have_no_rights_and_a_read_only_root() -> None:
    for name, one in services().items():
        if one["image"] != "smartqueue":
            continue
        assert (one["read_only"], one["cap_drop"], one["tmpfs"]) == (True, ["ALL"], ["/tmp"]), name
        assert "no-new-privileges:true" in one["security_opt"], name
        assert ("seccomp=unconfined" in one["security_opt"]) == (name == "sandbox-worker")


def test_two_workers_take_all_types_between_them() -> None:
    types = {}
    for name in ("worker", "sandbox-worker"):
        words = services()[name]["command"]
        types[name] = words[words.index("--types") + 1].split(",")
    assert sorted(types["worker"]) == worker_types()
    # what ml needs is an extra
    assert set(types["worker"]) | set(types["sandbox-worker"]) == set(registry.performed()) - {"ml"}
    assert not set(types["worker"]) & set(types["sandbox-worker"])


def test_only_the_web_can_be_reached_from_elsewhere() -> None:
    open_to_all = {
        name for name, one in services().items() for port in one.get("ports", []) if port.get("host_ip") != "127.0.0.1"
    }
    assert open_to_all == {"web"}


# --- .env.example -----------------------------------------------------------------------------------------------


def read_settings() -> dict[str, str | None]:
    """By name, with the default where that is a plain value."""
    found: dict[str, str | None] = {}
    for node in ast.walk(ast.parse((ROOT / "smartqueue" / "settings.py").read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in READERS):
            continue
        if node.args and isinstance(name := node.args[0], ast.Constant):
            default = node.args[1] if len(node.args) > 1 else ast.Constant("")
            plain = isinstance(default, ast.Constant)
            found[name.value] = spelt(default.value) if plain else None  # type: ignore[attr-defined]
    return found


def spelt(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def named() -> dict[str, tuple[bool, str]]:
    """By name: whether it must be given, and what stands there."""
    lines = re.findall(r"^(# )?([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE)
    assert len({name for _, name, _ in lines}) == len(lines), "a name stands there twice"
    return {name: (not hidden, value) for hidden, name, value in lines}


def test_every_setting_is_in_the_example_and_every_line_there_is_read() -> None:
    interpolated = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))

    assert set(read_settings()) - UNNAMED - set(named()) == set()
    assert set(named()) - set(read_settings()) - interpolated - set(ELSEWHERE) == set()
    for name, path in ELSEWHERE.items():
        assert name in (ROOT / path).read_text(), path


def test_what_must_be_given_is_what_compose_asks_for_and_has_no_value() -> None:
    required = {name: value for name, (must, value) in named().items() if must}

    assert required == dict.fromkeys(GIVEN, "")


def test_defaults_in_the_example_are_those_of_the_settings() -> None:
    wrong = {
        name: (default, named()[name][1])
        for name, default in read_settings().items()
        if default is not None and name in named() and not named()[name][0] and named()[name][1] != default
    }
    assert wrong == {}
