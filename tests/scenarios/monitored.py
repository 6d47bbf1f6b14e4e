"""A deployment whose processes all answer scrapes, and a Prometheus of its own that has our configuration."""

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from orgs.models import Org
from tests.deploy.files import ALERTS, CONFIG
from tests.jobs.metrics.reading import Series, parsed
from tests.process import Process
from tests.processes import Fleet, patiently
from tests.scenarios.rest import Rest

TOKEN = "t" * 32
KINDS = ("scheduler", "worker", "watchdog")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """So many in a row."""
    while True:
        first = free_port()
        ports = list(range(first, first + count))
        try:
            with ExitStack() as stack:
                for port in ports:
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except (OSError, OverflowError):
            continue
        return ports


def fetched(url: str, token: str = TOKEN) -> tuple[int, str]:
    """Status and text; status 0 where nobody answers."""
    headers = {"Connection": "close", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        reply = urllib3.request("GET", url, headers=headers, retries=False, timeout=30)
    except urllib3.exceptions.HTTPError:
        return 0, ""
    return reply.status, reply.data.decode()


def scraped(url: str) -> Series:
    status, text = fetched(url)
    assert status == 200, url
    return parsed(text)


@dataclass
class Monitored:
    fleet: Fleet
    rest: Rest
    ports: dict[str, int]

    @classmethod
    def begin(cls, fleet: Fleet, org: Org, folder: Path) -> "Monitored":
        counted = folder / "http"
        counted.mkdir()
        fleet.environ |= {"SMARTQUEUE_METRICS_TOKEN": TOKEN, "SMARTQUEUE_ROLLUP_SECONDS": "0.2"}
        ports = {kind: free_port() for kind in KINDS}
        for kind, port in ports.items():
            fleet.manage(f"run{kind}", "--metrics-port", str(port))
        fleet.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counted)
        return cls(fleet, Rest(fleet, org), ports)

    @property
    def web(self) -> str:
        return f"{self.rest.url}/metrics"

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.ports[kind]}/metrics"

    def answering(self) -> bool:
        for process in self.fleet.processes:
            assert process.running, process.text
        return all(fetched(url)[0] == 200 for url in (self.web, *map(self.url, KINDS)))


@dataclass
class Prometheus:
    url: str
    process: Process

    @classmethod
    def begin(cls, site: Monitored, folder: Path) -> "Prometheus":
        port = free_port()
        where = f"127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(ours(site, folder, where)))
        words = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address={where}"]
        process = site.fleet.start(["prometheus", *words])
        return cls(f"http://{where}", process)

    def asked(self, path: str, **query: str) -> Any:
        status, text = fetched(f"{self.url}/api/v1/{path}?{urlencode(query)}", token="")
        assert status == 200, (path, query)
        return json.loads(text)["data"]

    def result(self, query: str) -> list[dict[str, Any]]:
        return list(self.asked("query", query=query)["result"])

    def up(self) -> set[str]:
        """The jobs of the configuration that answer; none before it is ready."""
        assert self.process.running, self.process.text
        if fetched(f"{self.url}/-/ready", token="")[0] != 200:
            return set()
        return {one["metric"]["job"] for one in self.result("up == 1")}


def ours(site: Monitored, folder: Path, where: str) -> dict[str, Any]:
    """The configuration that we ship: with the addresses of here, the token's file, and less waiting."""
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    token = folder / "token"
    token.write_text(TOKEN)
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(ALERTS)]
    targets = {f"smartqueue-{kind}": f"127.0.0.1:{port}" for kind, port in site.ports.items()}
    targets |= {"smartqueue-web": site.rest.url.removeprefix("http://"), "prometheus": where}
    for job in config["scrape_configs"]:
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(token)
    return config


def until_up(prometheus: Prometheus) -> None:
    patiently(lambda: prometheus.up() >= {"smartqueue-web", "prometheus", *(f"smartqueue-{kind}" for kind in KINDS)})
