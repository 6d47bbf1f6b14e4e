"""manage.py doctor: each thing that can be wrong is named with what mends it, and what is well is not."""

import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now

from jobs.models import Ready, Subscriber, WorkerProcess
from orgs.audit_seals import Sealer
from orgs.models import AuditEntry, Secret
from smartqueue import doctor, health
from smartqueue.doctor import Finding
from tests.conftest import World
from tests.factories import make_job, make_webhook
from tests.process import ROOT

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def whole(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' server need not keep what it acknowledges, nor are assets collected for them."""
    monkeypatch.setattr(doctor, "durability", lambda: "ok")
    settings.STATIC_ROOT = str(tmp_path)
    (tmp_path / "staticfiles.json").write_text("{}")


def make_process(**fields: Any) -> WorkerProcess:
    about: dict[str, Any] = {"hostname": "host", "pid": 1, "version": "1", "queues": ["*"], "slots": 4}
    return WorkerProcess.objects.create(id=uuid4(), started_at=Now(), beat_at=Now(), **{**about, **fields})


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def found() -> dict[str, Finding]:
    return {one.name: one for one in doctor.examined()}


def states(*names: str) -> list[str]:
    every = found()
    return [every[name].state for name in names]


def test_what_is_well_is_said_to_be(world: World) -> None:
    for kind in ("worker", "scheduler", "watchdog"):
        make_process(kind=kind)

    wrong = [one for one in doctor.examined() if one.state == "wrong"]

    assert wrong == []
    assert states("python", "database", "durability", "migrations", "clock", "secrets", "workers") == ["ok"] * 7


def test_it_ends_with_one_where_something_is_wrong_and_says_what_mends_it(world: World) -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)
    assert ended.value.code == 1
    assert "workers: none has a heartbeat" in out.getvalue()
    assert "Start one: python manage.py runworker" in out.getvalue()

    for kind in ("worker", "scheduler", "watchdog"):
        make_process(kind=kind)
    out = StringIO()
    call_command("doctor", "--json", stdout=out)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["name"] for line in lines} >= {"database", "workers", "schedulers", "watchdogs"}
    assert all(set(line) == {"name", "state", "text", "mend"} for line in lines)


def test_a_queue_that_no_worker_takes_is_named_with_the_command(world: World) -> None:
    make_process(kind="worker", queues=["mail"])
    make_job(world.org, queue="etl")
    make_job(world.org, queue="mail")
    assert not [name for name in found() if name.startswith("queue ")]
    Ready.objects.update(queued_at=Now() - timedelta(minutes=5))

    named = [one for name, one in found().items() if name.startswith("queue ")]

    (one,) = named
    assert one.text.startswith("1 jobs wait in etl that no worker takes")
    assert one.mend.endswith("runworker --queues etl")


def test_a_worker_that_is_dead_does_not_count(world: World) -> None:
    make_process(kind="worker", status=WorkerProcess.DEAD)
    assert states("workers") == ["wrong"]


def test_a_secret_without_its_key_is_wrong(world: World) -> None:
    Secret.objects.create(org=world.org, name="token", sealed="v1.long-gone.AAAA")
    assert found()["secrets"].text == "1 cannot be read with ENCRYPTION_KEYS"
    make_webhook(world.org)
    assert found()["secrets"].text.startswith("1 ")
    Subscriber.objects.update(secret="v1.another-gone.AAAA")
    assert found()["secrets"].text.startswith("2 ")


def test_an_audit_trail_that_nobody_seals_is_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    AuditEntry.objects.create(org=world.org, action="job.cancel", target="x", detail={})
    monkeypatch.setattr(doctor, "MOST_UNSEALED_SECONDS", 600.0)
    assert states("audit") == ["ok"]
    monkeypatch.setattr(doctor, "MOST_UNSEALED_SECONDS", 0.0)
    assert states("audit") == ["wrong"]
    Sealer()(7, batch=100)
    assert states("audit") == ["ok"]


def test_a_missing_migration_is_named_and_nothing_that_needs_it_is_asked(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs' AND name >= '0044'")

    every = found()

    assert (every["migrations"].state, every["migrations"].mend) == ("wrong", "python manage.py migrate")
    assert "jobs.0044" in every["migrations"].text
    assert "workers" not in every


@pytest.mark.parametrize(
    ("bound", "value", "name", "state"),
    [
        ("MOST_APART_SECONDS", -1.0, "clock", "warning"),
        ("LEAST_FREE_BYTES", 10**18, f"disk of {settings.STATE_DIR}", "warning"),
        ("OLDEST_POSTGRESQL", 99, "database", "wrong"),
        ("OLDEST_PYTHON", (4, 0), "python", "wrong"),
    ],
)
def test_each_bound_counts(monkeypatch: pytest.MonkeyPatch, bound: str, value: Any, name: str, state: str) -> None:
    assert states(name) == ["ok"]
    monkeypatch.setattr(doctor, bound, value)
    assert states(name) == [state]
    assert found()[name].mend


def test_a_folder_that_is_not_ours_to_write_in_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartqueue.doctor.os.access", lambda path, mode: False)

    (found_one,) = [finding for name, finding in found().items() if name == f"disk of {settings.STATE_DIR}"]

    assert found_one.state == "wrong"
    assert "may not write in" in found_one.text


def test_other_packages_than_the_lock_says_are_named(tmp_path: Path, settings: Any) -> None:
    assert states("packages") == ["ok"]
    (tmp_path / "requirements.txt").write_text(
        "django==1.0 \\\n    --hash=sha256:00\nno-such-thing==1.0 \\\nonly-there==2 ; sys_platform == 'win32' \\\n"
    )
    settings.BASE_DIR = tmp_path
    one = found()["packages"]
    assert one.state == "warning"
    assert "is not 1.0" in one.text
    assert "no-such-thing is missing" in one.text
    assert "only-there" not in one.text


def test_a_mail_server_that_refuses_is_wrong(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port()
    assert states("mail") == ["wrong"]


def test_pages_without_style_are_wrong(tmp_path: Path, settings: Any) -> None:
    assert states("assets") == ["ok"]
    settings.STATIC_ROOT = str(tmp_path / "elsewhere")
    assert states("assets") == ["wrong"]


def test_a_server_that_loses_what_it_acknowledges_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "durability", health.durability)
    # as the tests' own is
    assert found()["durability"].text == "fsync, full_page_writes off"
    assert states("durability") == ["wrong"]


def test_a_database_that_is_down_is_what_is_wrong() -> None:
    url = f"postgres://nobody:x@127.0.0.1:{closed_port()}/none"

    ended = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--json"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ended.returncode == 1
    lines = {line["name"]: line for line in map(json.loads, ended.stdout.splitlines())}
    assert lines["database"]["state"] == "wrong"
    assert "DATABASE_URL" in lines["database"]["mend"]
    assert "migrations" not in lines
