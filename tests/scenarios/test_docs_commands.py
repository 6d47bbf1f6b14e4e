"""Every command in the documentation is run by a test: here, word for word, with a deployment that works; or by the
test of its page. What needs a cluster or a container engine is named.

Names of hosts as in compose.yaml (`web:8000`) are led to the processes of the test by curl's own `connect-to`. Of
Docker there is no more than where the logs are.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgs.models import Org, User
from orgs.roles import Role
from orgs.tokens import give_tokens
from smartqueue.pghome import installed_binaries
from tests.factories import PASSWORD, make_member, make_org
from tests.process import ROOT
from tests.processes import Fleet, patiently
from tests.scenarios.monitored import KINDS, TOKEN, Monitored, free_port

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
HERE = "tests/scenarios/test_docs_commands.py"
ELSEWHERE = {
    "docs/api.md": "tests/smartqueue/test_api_docs.py",
    "docs/artefacts.md": "tests/jobs/api/test_artefact_docs.py",
    "docs/backups.md": "tests/scenarios/test_backups.py",
    "docs/clients.md": "tests/scenarios/test_clients_doc.py",
    "docs/django-tasks.md": "tests/jobs/backend/test_docs.py",
    "docs/hosts.md": "tests/scenarios/test_hosts_doc.py",
    "docs/observing.md": "tests/scenarios/test_logs.py",
    "docs/job-types.md": "tests/jobs/handlers/test_docs.py",
    "docs/own-workers.md": "tests/jobs/api/test_own_workers_doc.py",
    "docs/secrets.md": "tests/jobs/api/test_secrets.py",
    "docs/webhooks.md": "tests/jobs/delivery/test_docs.py",
}
# A container engine, a cluster, an account at AWS, or a broker and a fleet of queues of somebody's own.
NOT_RUN = {
    "deploy/k8s/README.md": "a cluster; what it renders is checked by tests/deploy/test_kubernetes.py",
    "deploy/terraform/README.md": "an account; the module is checked by tests/deploy/test_terraform.py",
    "docs/deployment.md": "a container engine; tests/deploy/test_image_runs.py runs what it starts",
    "docs/event-stream.md": "brokers by name; tests/scenarios/test_event_stream.py runs the same commands with mocks",
}
ONE_SHELL = ("README.md", "docs/tutorial.md")
PAGES = (
    "README.md",
    "accounts",
    "alerts",
    "audit",
    "limits",
    "metrics",
    "schedules",
    "tenant-data",
    "tutorial",
    "usage",
)
RUNBOOKS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs" / "runbooks").glob("*.md"))
RUN_HERE = [f"docs/{page}.md" if "." not in page else page for page in PAGES] + RUNBOOKS
# These find something only when something is wrong: that they find nothing in a healthy deployment is no failure.
FINDS_TROUBLE = ("does not stop", "exceptions_total", '"status": 50', "grep -i train", "no longer")


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def lines(page: str) -> Iterator[str]:
    """Commands, those that go on over several lines put together."""
    for block in blocks(page):
        found = ""
        for line in block.splitlines():
            found += line + "\n"
            # a quote that is open, or a backslash, goes on
            if not line.endswith("\\") and found.count("'") % 2 == 0:
                yield found
                found = ""
        assert not found, (page, found)


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def site(fleet: Fleet, org: Org, tmp_path: Path) -> Monitored:
    fleet.environ["ALLOWED_HOSTS"] = "127.0.0.1,localhost,web"
    site = Monitored.begin(fleet, org, tmp_path)
    patiently(site.answering)
    return site


class Terminal:
    """A shell of somebody who looks after the deployment."""

    def __init__(self, site: Monitored, org: Org, folder: Path) -> None:
        self.folder, self.site = folder, site
        web = site.rest.url.removeprefix("http://")
        places = {"127.0.0.1:8000": web, "web:8000": web}
        places |= {f"{kind}:9100": f"127.0.0.1:{port}" for kind, port in site.ports.items()}
        (folder / ".curlrc").write_text("".join(f'connect-to = "{a}:{b}"\n' for a, b in places.items()))
        self.program("manage.py", f'exec {sys.executable} {ROOT}/manage.py "$@"')
        self.program("docker", self.docker())
        admin = make_member(org, Role.ORG_ADMIN)
        self.environ = {
            **site.fleet.environ,
            "HOME": str(folder),
            "PATH": f"{folder}:{installed_binaries()}:{site.fleet.environ['PATH']}",
            "SMARTQUEUE_METRICS_TOKEN": TOKEN,
            "URL": "http://127.0.0.1:8000",
            "BASE": "http://127.0.0.1:8000/api/v1",
            "ORG": org.slug,
            "TOKEN": str(give_tokens(admin).access_token),
        }

    def program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / name).chmod(0o755)

    def docker(self) -> str:
        """`docker compose logs --tail N service` and `docker compose ps service`, of the test's processes."""
        logs = {kind: process.log_path for kind, process in zip(KINDS, self.site.fleet.processes, strict=False)}
        logs["web"] = self.site.fleet.processes[-1].log_path
        cases = "".join(f"{kind}) tail -n 500 {path};;\n" for kind, path in logs.items())
        known = f'case "$last" in\n{cases}ps|postgres) ;;\n*) exit 64;; esac'
        return f'[ "$1" = compose ] || exit 64\nfor last; do :; done\n{known}'

    def typed(self, command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        strict = re.sub(r"curl (-sS?) ", r"curl \1 --fail-with-body ", command)
        return subprocess.run(
            ["sh", "-u", "-c", strict], cwd=self.folder, env={**self.environ, **environ},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip


@pytest.fixture
def terminal(site: Monitored, org: Org, tmp_path: Path) -> Terminal:
    folder = tmp_path / "home"
    folder.mkdir()
    return Terminal(site, org, folder)


def as_readers_of(page: str, org: Org) -> dict[str, str]:
    """The token of whom the page speaks to, where that is not an org_admin."""
    if page == "docs/accounts.md":
        leaving = make_member(org, Role.VIEWER)
        leaving.set_password("note G, 1843")
        leaving.save()
        return {"TOKEN": str(give_tokens(leaving).access_token)}
    if page == "docs/usage.md":
        platform = make_member(org, Role.ORG_ADMIN)
        User.objects.filter(pk=platform.pk).update(is_superuser=True)
        platform.refresh_from_db()
        return {"TOKEN": str(give_tokens(platform).access_token)}
    return {}


def adapted(page: str, command: str, terminal: Terminal) -> str:
    """What stands for a name or a number of the reader's own."""
    if page in ONE_SHELL and '"ada"' in command:
        reader = make_member(Org.objects.get(slug="acme"), Role.ORG_ADMIN)
        command = command.replace('"ada"', f'"{reader.username}"').replace("as printed by make up", PASSWORD)
    if "--head" in command:
        number = re.compile(r"^smartqueue_audit_head (\S+)$", re.MULTILINE)
        patiently(lambda: float(number.findall(terminal.typed("curl -s http://web:8000/metrics -H "
                  f"'Authorization: Bearer {TOKEN}'").stdout)[0]) > 0)  # fmt: skip
        text = terminal.typed(f"curl -s http://web:8000/metrics -H 'Authorization: Bearer {TOKEN}'").stdout
        command = command.replace("104509324263871", str(int(float(number.findall(text)[0]))))
    if "runworker --metrics-port" in command:
        # it runs until it is ended, which is when it has answered
        where = f"127.0.0.1:{free_port()}"
        started = command.strip().replace("9100", where.partition(":")[2]).replace("0" + ".0.0.0", "127.0.0.1")
        asks = f"curl -s -H 'Authorization: Bearer {TOKEN}' http://{where}/metrics | grep -q smartqueue_process_slots"
        command = f"{started} & until {asks}; do sleep 0.2; kill -0 $! || exit 1; done; kill -TERM $!; wait $!"
    return command.replace("SLUG", "acme").replace("(PID)", "(0)")


def test_the_commands_of_the_pages_and_of_the_runbooks_work(terminal: Terminal, org: Org, site: Monitored) -> None:
    site.rest.submit("demo.add", a=1, b=2)
    failed = []
    for page in RUN_HERE:
        told = as_readers_of(page, org)
        if page in ONE_SHELL:
            # one shell: the later lines need what the first has set
            commands = ["set -e\n" + "\n".join(adapted(page, block, terminal) for block in blocks(page))]
        else:
            commands = [adapted(page, line, terminal) for line in lines(page)]
        assert commands or page in RUNBOOKS, page
        for command in commands:
            done = terminal.typed(command, **told)
            nothing = done.returncode == 1 and not done.stderr and any(word in command for word in FINDS_TROUBLE)
            # the tests' PostgreSQL is not durable, and it says so
            nothing |= "readyz" in command and '"status": "unready"' in done.stdout
            if done.returncode != 0 and not nothing:
                failed.append((page, command, done.stdout[-500:], done.stderr[-500:]))

    assert failed == [], "\n".join(map(str, failed))


def test_every_page_with_commands_is_run_somewhere_or_said_not_to_be() -> None:
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    texts += (ROOT / "deploy").rglob("*.md")
    pages = {path.relative_to(ROOT).as_posix() for path in texts}
    with_commands = {page for page in pages if blocks(page)}

    assert with_commands == {*ELSEWHERE, *NOT_RUN, *RUN_HERE}
    for page, test in ELSEWHERE.items():
        text = (ROOT / test).read_text(encoding="utf-8")
        assert Path(page).name in text or "drill" in text, (page, test)
