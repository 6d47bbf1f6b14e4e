"""`make up`: everything SmartQueue needs, started in order, watched over, stopped in order.

Without Django: loading it takes longer than all the rest of a second start. Its processes load it, side by side.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import psutil
import psycopg

from smartqueue import database, programs
from smartqueue.embedded import Server
from smartqueue.env import FALSE
from smartqueue.pghome import ask_to_die_with, die_with_parent
from smartqueue.ports import address, address_url, listen
from smartqueue.readiness import (
    demo_people,
    found_mark,
    heartbeat_seen,
    readiness,
    schema_mark,
    wait_for_database,
    write_mark,
)
from smartqueue.state import locked, prepare, write_private
from smartqueue.supervisor import Child, Interrupted, Signals, Supervisor
from smartqueue.welcome import demo_logins, welcome

READY_WITHIN_SECONDS = 60.0
# Seconds after the signal at which each is told to stop, or earlier when those before it are gone. Web first, so
# that no new work comes in; the scheduler leads until the workers have given back what they could not finish.
STOP_PLAN = {"demo": 0.0, "web": 0.0, "worker": 0.3, "scheduler": 1.0, "watchdog": 1.0}
# The rest of the twelve seconds is PostgreSQL's.
KILL_AFTER_SECONDS = 10.3
COLOURS = {"web": 36, "worker": 32, "scheduler": 35, "watchdog": 33, "postgresql": 34}


class UpError(RuntimeError):
    """Starting failed; the message says why and what to do."""


@dataclass(frozen=True)
class Options:
    host: str
    port: int
    demo: bool
    # No new jobs for the demo but those of people.
    quiet: bool = False


class Console:
    """What the terminal sees. It may go away (a closed pipe): then the logs alone are written."""

    def __init__(self, stream: TextIO) -> None:
        self.stream: TextIO | None = stream
        self.colour = stream.isatty() and not os.environ.get("NO_COLOR")
        # Until the box is printed only our own steps are shown; processes speak to their logs.
        self.show_processes = False

    def line(self, text: str) -> None:
        try:
            if self.stream:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
                self.stream.flush()
        except OSError:
            self.stream = None

    def process_line(self, name: str, text: str) -> None:
        if self.show_processes:
            start, end = (f"\033[{COLOURS.get(name, 37)}m", "\033[0m") if self.colour else ("", "")
            self.line(f"{start}{name:<10}|{end} {text}")

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self.line(f"  {what:<34} {time.monotonic() - begun:5.1f} s")


class Up:
    def __init__(self, state: Path, options: Options, console: Console) -> None:
        self.state = state
        self.options = options
        self.console = console
        self.signals = Signals()
        self.supervisor = Supervisor(console.process_line, self.signals)
        self.server = Server(state) if database.embedded() else None
        # Ours for as long as we live: a web process that is started again takes it over.
        self.listener: socket.socket | None = None
        # The demo's first model is trained when everything is up: predictions come from its history until then.
        self.model_missing = False

    def run(self) -> int:
        """Until a signal. Returns the exit status."""
        begun = float(os.environ.get("SMARTQUEUE_BEGUN_AT") or time.time())
        refuse_unsafe()
        prepare(self.state)
        try:
            with locked(self.state / "up.lock", wait=False):
                return self.run_alone(begun)
        except BlockingIOError:
            self.console.line(already_running(self.state))
            return 0

    def run_alone(self, begun: float) -> int:
        stop_with_make()
        self.signals.handle()
        try:
            self.start(begun)
            self.signals.raising = False
            while not self.signals.received:
                self.supervisor.turn(3600.0)
        except Interrupted:
            pass
        finally:
            self.stop()
        return 130 if self.signals.received[0] == signal.SIGINT else 0

    def start(self, begun: float) -> None:
        clean_up_after_killed(self.state, self.console)
        self.remember(url=None)
        for folder in ("logs", "artefacts", "mail"):
            (self.state / folder).mkdir(mode=0o700, exist_ok=True)
        self.start_database()
        self.migrate()
        self.listener = listener = listen(self.options.host, self.options.port, say=self.console.line)
        url = address_url(listener)
        first, later = programs.children(self.state, listener, trickle=self.options.demo and not self.options.quiet)
        for program in first:
            self.supervisor.start(program)
        if self.options.demo:
            # while those load their code
            self.seed()
        with self.console.step("web, worker, scheduler, watchdog"):
            self.wait_ready(address(listener))
            # nothing waits for these two: on few cores they would only slow down what somebody waits for
            for program in later:
                self.supervisor.start(program)
        self.remember(url=url)
        logins = demo_logins(self.state) if self.options.demo else []
        place = str(self.server.data) if self.server else "DATABASE_URL"
        mail = "SMARTQUEUE_EMAIL_URL" if os.environ.get("SMARTQUEUE_EMAIL_URL") else str(self.state / "mail")
        self.console.line(
            welcome(url, logins, data=place, logs=self.state / "logs", mail=mail, seconds=time.time() - begun)
        )
        self.console.show_processes = True
        if self.model_missing:
            # ended with us if it takes that long: what is not one of the supervisor's is a stray
            start("seed_demo", self.state / "logs" / "seed.log")

    def start_database(self) -> None:
        if not self.server:
            with self.console.step("PostgreSQL of DATABASE_URL"):
                wait_for_database(database.database_url())
            return
        with self.console.step("embedded PostgreSQL"):
            self.server.start()
            assert self.server.process
            self.supervisor.adopt(Child("postgresql", self.server.spawn), self.server.process)
            self.server.role_ready()
        if self.server.account and self.server.account.pw_name == "nobody":
            self.console.line("  note: PostgreSQL runs as nobody, for no account of its own could be made")

    def migrate(self) -> None:
        wanted = schema_mark()
        with psycopg.connect(database.database_url(), autocommit=True) as connection:
            if found_mark(connection) != wanted:
                with self.console.step("migrations"):
                    manage("migrate", "--noinput")
                write_mark(connection, wanted)

    def seed(self) -> None:
        with psycopg.connect(database.database_url()) as connection:
            made_for = demo_people(connection)
        if made_for == 0 or made_for > len(demo_logins(self.state)):
            with self.console.step("demo organisation"):
                manage("seed_demo", "--no-model")
            self.model_missing = True

    def wait_ready(self, where: tuple[str, int]) -> None:
        """Until the web answers /readyz and the worker's heartbeat is in the database."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        checks: dict[str, Callable[[], bool]] = {
            "web": lambda: readiness(where)[0] == http.client.OK,
            "worker": lambda: heartbeat_seen(self.child("worker")),
        }
        while checks:
            self.supervisor.turn(0.05)
            checks = {name: check for name, check in checks.items() if not check()}
            if time.monotonic() > deadline:
                shown = [f"{name}: {line}" for name in checks for line in self.child(name).last_lines]
                told = [f"/readyz says: {readiness(where)[1]}"] if "web" in checks else []
                raise UpError(
                    "\n".join([f"not ready in {READY_WITHIN_SECONDS:g} s: {', '.join(checks)}", *shown, *told])
                )

    def child(self, name: str) -> Child:
        return next(child for child in self.supervisor.children if child.name == name)

    def stop(self) -> None:
        """Our processes first, PostgreSQL last: what they write on their way out must still be taken."""
        self.signals.raising = False
        if self.console.show_processes:
            self.console.line("stopping ...")
        self.supervisor.stop(STOP_PLAN, KILL_AFTER_SECONDS)
        if self.listener:
            self.listener.close()
        if self.server:
            self.server.stop()
        self.supervisor.turn(0.0)
        (self.state / "up.json").unlink(missing_ok=True)

    def remember(self, url: str | None) -> None:
        write_private(self.state / "up.json", json.dumps({"pid": os.getpid(), "url": url}))


def refuse_unsafe() -> None:
    """Outside development each process would refuse; said once, before anything is started."""
    if os.environ.get("SMARTQUEUE_DEBUG", "1").strip().lower() in FALSE:
        for name in ("SECRET_KEY", "JWT_SIGNING_KEY", "ENCRYPTION_KEYS"):
            if len(os.environ.get(name, "")) < 32:
                raise UpError(f"{name} must be set to at least 32 random characters (or SMARTQUEUE_DEBUG=1)")


def start(word: str, log_path: Path) -> None:
    """Run a command of manage.py beside everything else, once."""
    with log_path.open("ab") as log:
        subprocess.Popen(
            [sys.executable, str(programs.BASE_DIR / "manage.py"), word],
            env={"SMARTQUEUE_DEBUG": "1", **os.environ},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )


def manage(*words: str) -> None:
    """Run a command of manage.py to its end."""
    command = [sys.executable, str(programs.BASE_DIR / "manage.py"), *words, "--verbosity", "0"]
    environ = {"SMARTQUEUE_DEBUG": "1", **os.environ}
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UpError(f"{words[0]} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def already_running(state: Path) -> str:
    try:
        known = json.loads((state / "up.json").read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("url"):
        return f"already running at {known['url']} (pid {known['pid']})"
    return f"already starting (pid {known.get('pid', 'unknown')})"


def clean_up_after_killed(state: Path, console: Console) -> None:
    """A copy that was killed leaves up.json. Its children were told to stop by the kernel; wait for them."""
    try:
        pid = json.loads((state / "up.json").read_text())["pid"]
    except (OSError, ValueError, KeyError):
        return
    left = list(programs.left_of(pid, state))
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=3)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    console.line(f"  cleaned up after a copy that was killed (pid {pid})")


def stop_with_make() -> None:
    """Started by make: end when make is killed, for then nobody is left to pass Ctrl-C on."""
    if os.environ.get("MAKELEVEL"):
        ask_to_die_with(os.getppid(), signal.SIGTERM)
