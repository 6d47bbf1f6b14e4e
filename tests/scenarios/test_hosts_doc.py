"""docs/hosts.md: what stands there is typed, with folders of the test's own for those of a host, until a job is done.

Not here, for a test does not change the machine it runs on: Debian's packages, the account, the cluster's roles and
the clone (they were run by hand on Debian 12). Of systemd there is what reads its units: a check of their syntax where
it is installed, and a stand-in that starts what they say.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from smartqueue.embedded import Server
from smartqueue.pghome import installed_binaries
from tests.deploy import dockerfile
from tests.process import ROOT
from tests.processes import Fleet, patiently
from tests.scenarios.deployment import DURABLE_CONF, state_folder, url_of
from tests.scenarios.monitored import fetched, free_port
from tests.scenarios.writers import Client

TEXT = (ROOT / "docs" / "hosts.md").read_text(encoding="utf-8")
BLOCKS = {
    heading: re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    for heading, text in re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    if "```sh" in text
}
UNITS = ROOT / "deploy" / "systemd"
BY_HAND = {"The packages", "The database", "The program", "Another release"}
TYPED = ["What it is told", "A shell of it", "The tables, the files and the first person", "Start it", "Is it well?"]
TYPED += ["Watch it"]
TABLE = {
    "type": "etl",
    "payload": {"source": {"rows": [{"n": 1}]}, "steps": [{"filter": "n > 0"}], "sink": {"artefact": "n.csv"}},
}


def unit(name: str) -> dict[str, str]:
    """The settings of `kind@instance`, filled in; the last of each name."""
    kind, _, instance = name.partition("@")
    text = (UNITS / f"{kind}@.service").read_text(encoding="utf-8").replace("%i", instance)
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def named() -> list[str]:
    """The instances that the page starts."""
    return re.findall(r"smartqueue-\w+@\d+", "".join(BLOCKS["Start it"]))


class Host:
    """Folders that stand for those of a host, and its systemctl."""

    def __init__(self, folder: Path, fleet: Fleet) -> None:
        self.folder, self.fleet = folder, fleet
        for name in ("etc/systemd/system", "etc/prometheus", "opt", "bin", "state"):
            (folder / name).mkdir(parents=True)
        # as a clone of it, with the virtual environment that there is
        shutil.copytree(ROOT / "deploy", folder / "opt/smartqueue/deploy")
        for path in ROOT.iterdir():
            if path.name not in ("deploy", ".git", ".venv", "site", "staticfiles"):
                (folder / "opt/smartqueue" / path.name).symlink_to(path)
        (folder / "opt/smartqueue/.venv").symlink_to(sys.prefix)
        # of these a test may neither have nor need the real ones
        for name in ("systemctl", "chgrp"):
            self.program(name, "exit 0")
        self.program("install", 'while [ $# -gt 1 ]; do shift; done; mkdir -p "$1"')
        self.program("runuser", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')

    def program(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "bin" / name).chmod(0o755)

    def here(self, text: str) -> str:
        """Paths and addresses of the page, as they are in the test."""
        there = {
            "/etc/smartqueue": "etc/smartqueue", "/etc/systemd": "etc/systemd", "/etc/prometheus": "etc/prometheus",
            "/opt/smartqueue": "opt/smartqueue", "/usr/local/bin": "bin", "/var/lib/smartqueue": "state",
        }  # fmt: skip
        for path, name in there.items():
            text = text.replace(path, str(self.folder / name))
        return text

    def typed(self, block: str, *changes: tuple[str, str]) -> str:
        for old, new in changes:
            block = block.replace(old, new)
        path = f"{self.folder}/bin:{installed_binaries()}:{os.environ['PATH']}"
        environ = {"PATH": path, "PASSWORD": "herons", "HOME": str(self.folder), "SMARTQUEUE_STATIC_ROOT": self.static}
        done = subprocess.run(
            ["sh", "-eu", "-c", self.here(block)], cwd=self.folder, env=environ,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (block, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    @property
    def static(self) -> str:
        return str(self.folder / "static")

    def start(self, name: str, port: int) -> None:
        """As systemd would, on another port."""
        said = unit(name)
        pairs = [line.partition("=")[::2] for line in Path(self.here(said["EnvironmentFile"])).read_text().split()]
        environ = {**dict(pairs), "SMARTQUEUE_STATIC_ROOT": self.static}
        if "PROMETHEUS_MULTIPROC_DIR" in said.get("Environment", ""):
            counted = self.folder / name
            counted.mkdir()
            environ["PROMETHEUS_MULTIPROC_DIR"] = str(counted)
        words = shlex.split(self.here(said["ExecStart"]).replace(name.partition("@")[2], str(port)))
        self.fleet.start(words, **environ)


@pytest.fixture
def server() -> Iterator[Server]:
    """A PostgreSQL that keeps what it acknowledges, for nothing else is migrated."""
    with state_folder() as folder:
        server = Server(folder, DURABLE_CONF)
        server.start()
        try:
            server.role_ready()
            yield server
        finally:
            server.stop()
            server.destroy()


@pytest.fixture
def host(server: Server, tmp_path: Path) -> Iterator[Host]:
    fleet = Fleet(tmp_path)
    fleet.environ = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], "SMARTQUEUE_ROLLUP_SECONDS": "0.2"}
    host = Host(tmp_path / "host", fleet)
    yield host
    fleet.close()


def test_what_stands_there_puts_a_deployment_up(host: Host, server: Server) -> None:
    address = "postgres://smartqueue:$PASSWORD@127.0.0.1:5432/smartqueue"
    (told,) = BLOCKS["What it is told"]
    assert address in told
    host.typed(told, (address, url_of(server)))
    host.typed(*BLOCKS["A shell of it"])
    host.typed(*BLOCKS["The tables, the files and the first person"])
    ports = {name: free_port() for name in named()}
    host.typed(*BLOCKS["Start it"])
    for name, port in ports.items():
        host.start(name, port)
    web = ports["smartqueue-web@8000"]
    patiently(lambda: fetched(f"http://127.0.0.1:{web}/healthz")[0] == 200)

    host.typed(BLOCKS["Watch it"][0], ("chgrp prometheus", "chgrp"))
    token = (host.folder / "etc/prometheus/metrics_token").read_text()
    patiently(lambda: all(fetched(f"http://127.0.0.1:{port}/metrics", token)[0] == 200 for port in ports.values()))
    assert fetched(f"http://127.0.0.1:{web}/metrics", "")[0] == 404
    (well,) = BLOCKS["Is it well?"]
    found = host.typed(well, ("8000", str(web)))
    assert "  ok       migrations: all are there" in found
    assert " wrong " not in found

    client = Client(f"http://127.0.0.1:{web}")
    client.register()
    path = f"/api/v1/jobs/{client.call('POST', '/api/v1/jobs/', TABLE).body['id']}/"
    patiently(lambda: client.call("GET", path).body["status"] == "done")


def test_the_rest_is_only_what_changes_a_machine() -> None:
    assert {*TYPED, *BY_HAND} == BLOCKS.keys()
    assert all(len(BLOCKS[heading]) == 1 for heading in TYPED)


def test_prometheus_asks_the_ports_that_are_started() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/hosts.yml").read_text())
    asked = {
        f"{job['job_name']}@{target.partition(':')[2]}"
        for job in config["scrape_configs"]
        for target in job["static_configs"][0]["targets"]
    }

    assert asked - {"prometheus@9090"} == set(named())


def test_the_web_is_the_one_of_the_image() -> None:
    words = shlex.split(unit("smartqueue-web@8000")["ExecStart"])

    assert words[1:] == dockerfile.command()[1:]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="SYSTEMD IS NOT HERE: its units are not checked")
def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    for path in UNITS.iterdir():
        text = path.read_text().replace("/opt/smartqueue/.venv/bin/python", sys.executable)
        text = text.replace("/opt/smartqueue/.venv/bin/gunicorn", "/bin/true")
        (tmp_path / path.name).write_text(text)
    units = [str(tmp_path / path.name) for path in UNITS.iterdir()]

    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)

    assert [line for line in done.stderr.splitlines() if "smartqueue" in line] == []
