"""What the image runs, run as it would be: its files and no others, its command lines and its environment, a read-only
root, a user without a name, and a PostgreSQL of its own.

There is no container engine in a test: bubblewrap stands in for it. SMARTQUEUE_IMAGE_ROOT names a folder with all that
is in an image, and that is run (`make ci-image`, `buildah mount`); else our files and the libraries of the tests are.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from smartqueue.embedded import Server
from tests.deploy import dockerfile
from tests.process import ROOT, Process
from tests.processes import patiently
from tests.scenarios.deployment import DURABLE_CONF, state_folder, url_of
from tests.scenarios.writers import ADD, Client

USER = "10001"
SECRETS = {"SECRET_KEY": "s" * 40, "JWT_SIGNING_KEY": "j" * 40, "ENCRYPTION_KEYS": "k1:" + "e" * 40}
# Shut into a process of its own, with limits that only a user who is not root has.
TABLE = {
    "type": "etl", "max_attempts": 1,
    "payload": {"source": {"rows": [{"n": 1}]}, "steps": [{"filter": "n > 0"}], "sink": {"artefact": "n.csv"}},
}  # fmt: skip
EXPORT = {"type": "data-export", "max_attempts": 1, "payload": {"dataset": "jobs", "columns": ["id", "status"]}}
IMAGE = os.environ.get("SMARTQUEUE_IMAGE_ROOT")
VENV = Path("/venv") if IMAGE else Path(sys.prefix).resolve()


class Engine:
    """Starts commands in the image. Each container has a /tmp of its own; the state is shared."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.app = Path("/app") if IMAGE else folder / "app"
        self.state = self.writable("state")
        self.started: list[Process] = []
        self.environ = {
            **dockerfile.environ(), **SECRETS, "PATH": f"{VENV}/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
            "DATABASE_URL": url_of(server), "SMARTQUEUE_TASK_MODULES": "smartqueue.demo.tasks",
        }  # fmt: skip
        if not IMAGE:
            self.build()

    def build(self) -> None:
        for relative in dockerfile.sent_files():
            (self.app / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / relative, self.app / relative)
        collect = [VENV / "bin" / "python", "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
        subprocess.run(collect, cwd=self.app, env={**self.environ, "SMARTQUEUE_STATE_DIR": str(self.state)}, check=True)

    def writable(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(exist_ok=True)
        os.chown(path, int(USER), int(USER))
        return path

    def command(self, words: list[str], name: str) -> list[str]:
        return [
            "bwrap", "--die-with-parent", "--ro-bind", IMAGE or "/", "/", "--dev", "/dev", "--proc", "/proc",
            "--perms", "1777", "--tmpfs", "/dev/shm",
            "--bind", str(self.writable(f"tmp-{name}")), "/tmp", "--tmpfs", "/var/lib",
            "--bind", str(self.state), "/var/lib/smartqueue", *self.seen(), "--chdir", str(self.app),
            "setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "--no-new-privs", *words,
        ]  # fmt: skip

    def seen(self) -> list[str]:
        """What is shown in the container besides, with empty folders where its way is closed to others."""
        needed = [self.server.socket_dir]
        needed += [] if IMAGE else [self.app, VENV, Path(sys.base_prefix).resolve()]
        tops = {Path("/tmp"), *filter(None, map(closed, needed))}
        empty = [word for path in sorted(tops - {Path("/tmp")}) for word in ("--tmpfs", path)]
        # folders on the way that bubblewrap makes unasked would be root's alone
        made = {parent for one in needed for parent in one.parents if tops & set(parent.parents)}
        empty += [word for path in sorted(made) for word in ("--dir", path)]
        return list(map(str, empty + [word for path in needed for word in ("--ro-bind", path, path)]))

    def start(self, name: str, *words: str) -> Process:
        process = Process(self.command(list(words), name), self.folder / f"{name}.log", self.environ)
        self.started.append(process)
        return process

    def run(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """In the container of that name, or in a new one."""
        command = self.command(list(words), name)
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)


def closed(path: Path) -> Path | None:
    """The uppermost folder on the way that others may not pass: in the container an empty one is in its place."""
    return next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if os.geteuid() != 0 or not shutil.which("bwrap") or not shutil.which("setpriv"):
        pytest.skip("NOT ROOT, OR NO BUBBLEWRAP: what the image runs is not run")
    failed = request.session.testsfailed
    with state_folder() as folder:
        server = Server(folder / "postgres", DURABLE_CONF)
        (folder / "postgres").mkdir(mode=0o711)
        server.start()
        engine = None
        try:
            server.role_ready()
            # its socket is for who started it; a container's user is somebody else
            server.socket_dir.chmod(0o711)
            (server.socket_dir / ".s.PGSQL.5432").chmod(0o777)
            engine = Engine(folder, server)
            yield engine
        finally:
            for process in engine.started if engine else []:
                process.close()
                if request.session.testsfailed > failed:
                    print(f"--- {process.log_path.name}\n{process.text[-3000:]}")
            server.stop()
            server.destroy()


def test_a_job_runs_in_containers_that_cannot_write(engine: Engine) -> None:
    refused = engine.run("free", "touch", str(engine.app / "smartqueue" / "new"))
    assert (refused.returncode, "cannot touch" in refused.stderr) == (1, True), refused.stderr
    who = engine.run("free", "id", "-u")
    assert who.stdout.strip() == USER

    migrating = engine.run("migrate", "python", "manage.py", "migrate", "--noinput")
    assert migrating.returncode == 0, migrating.stderr
    assert engine.run("check", "python", "manage.py", "migrate", "--check").returncode == 0

    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    engine.start("web", *(word.replace("0.0.0.0:8000", place) for word in dockerfile.command()))
    engine.start("worker", "python", "manage.py", "runworker", "--queues", "*")
    for kind in ("scheduler", "watchdog"):
        engine.start(kind, "python", "manage.py", f"run{kind}")

    client = Client(f"http://{place}")
    patiently(lambda: client.ready())
    assert client.call("GET", "/healthz").status == 200
    check = [word.replace("127.0.0.1:8000", place) for word in dockerfile.healthcheck()]
    assert engine.run("web", *check).returncode == 0
    static = f"http://{place}/static/"
    assert urllib3.request("GET", f"{static}sample.png").status == 200
    styles = re.findall(r"/static/(\S+?\.css)", urllib3.request("GET", f"http://{place}/sign-in/").data.decode())
    assert styles
    assert {urllib3.request("GET", static + name).status for name in styles} == {200}
    client.register()
    for job in (ADD, TABLE, EXPORT):
        path = f"/api/v1/jobs/{client.call('POST', '/api/v1/jobs/', job).body['id']}/"
        patiently(lambda path=path: client.call("GET", path).body["status"] in ("done", "failed"))  # type: ignore[misc]
        assert client.call("GET", path).body["status"] == "done", client.call("GET", path).body["error"]
    for kind in ("worker", "scheduler", "watchdog"):
        patiently(lambda kind=kind: engine.run(kind, "python", "manage.py", "probe", kind).returncode == 0)  # type: ignore[misc]
