"""How long files are kept, and that none is left without a row nor taken from a job that is to read it."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from jobs.models import Artefact
from jobs.processes.scheduler import Scheduler
from jobs.queue import upkeep
from jobs.queue.artefacts import send
from jobs.queue.enqueue import NewJob, enqueue, enqueue_many
from jobs.queue.upkeep import Orphans, expire_artefacts
from orgs.models import Org
from orgs.roles import Role
from orgs.scope import Scope
from tests.conftest import World
from tests.factories import make_job

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def sent(world: World, **fields: Any) -> Artefact:
    with open(os.devnull, "rb") as source:
        scope = Scope(world.operator, world.org, Role.OPERATOR)
        artefact = send(source, name="x", content_type=None, scope=scope)
    Artefact.objects.filter(pk=artefact.pk).update(**fields)
    artefact.refresh_from_db()
    return artefact


def files(media: Path) -> list[str]:
    return sorted(f"{path.parent.name}/{path.name}" for path in media.rglob("*") if path.is_file())


def http(artefact: Artefact) -> dict[str, Any]:
    return {"url": "https://example.com/", "method": "PUT", "body_artefact": str(artefact.pk)}


# --- the end of their time ------------------------------------------------------------------------------------------


def test_what_has_expired_goes_with_its_bytes_batch_by_batch(
    world: World, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    old = [sent(world, expires_at=Now() - timedelta(seconds=n + 1)) for n in range(5)]
    kept = sent(world)
    made = sent(world, job_id=make_job(world.org).pk, attempt=1, expires_at=None)

    with django_capture_on_commit_callbacks(execute=True):
        more = [expire_artefacts(batch=2) for _ in range(3)]

    assert more == [True, True, False]
    assert set(Artefact.objects.all()) == {kept, made}
    assert files(media) == sorted(str(one.file.name) for one in (kept, made))
    assert len(old) == 5


def test_the_leader_sees_to_it() -> None:
    scheduler = Scheduler()
    scheduler.close_sockets()

    assert {"expire artefacts", "sweep orphans"} <= {chore.name for chore in scheduler.chores}


# --- jobs that name them --------------------------------------------------------------------------------------------


def left(artefact: Artefact) -> timedelta:
    artefact.refresh_from_db()
    assert artefact.expires_at is not None
    return artefact.expires_at - timezone.now()


@pytest.mark.parametrize(
    ("when", "days"),
    [
        ({}, 7),
        ({"delay_seconds": 3 * 86_400}, 10),
        ({"run_at": 20 * DAY}, 27),
        ({"run_at": -20 * DAY}, None),
    ],
)
def test_a_job_that_names_a_file_puts_off_its_end(world: World, when: dict[str, Any], days: int | None) -> None:
    artefact, other = sent(world, expires_at=Now() + timedelta(hours=1)), sent(world, expires_at=Now() + DAY)

    if "run_at" in when:
        when = {"run_at": timezone.now() + when["run_at"]}

    enqueue(NewJob("http", http(artefact), **when), org=world.org, user=world.operator)

    expected = timedelta(hours=1) if days is None else days * DAY
    assert abs(left(artefact) - expected) < timedelta(minutes=5)
    assert abs(left(other) - DAY) < timedelta(minutes=5)


def test_its_end_is_never_brought_forward(world: World) -> None:
    artefact = sent(world, expires_at=Now() + 30 * DAY)

    enqueue_many([NewJob("http", http(artefact))] * 3, org=world.org, user=None)

    assert left(artefact) > 29 * DAY


def test_nobody_puts_off_the_end_of_anothers_file_nor_of_one_that_is_over(world: World) -> None:
    artefact, over = sent(world, expires_at=Now() + DAY), sent(world, expires_at=Now() - DAY)

    for org, one in ((world.rival, artefact), (world.org, over)):
        enqueue(NewJob("http", http(one)), org=org, user=None)

    assert left(artefact) < DAY
    assert left(over) < timedelta(0)


def test_only_jobs_that_name_files_ask_for_them(world: World) -> None:
    artefact = sent(world)
    plain = NewJob("shell", {"argv": ["/bin/echo", str(artefact.pk)]})

    for new, asked in (
        (plain, 0),
        (NewJob("http", {"url": "https://example.com/"}), 0),
        (NewJob("http", http(artefact)), 1),
    ):
        with CaptureQueriesContext(connection) as queries:
            enqueue(new, org=world.org, user=None)
        assert sum("jobs_artefact" in query["sql"] for query in queries.captured_queries) == asked


# --- files without a row --------------------------------------------------------------------------------------------


def put(media: Path, name: str, age: float = 2 * 86_400) -> str:
    path = media / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - age, time.time() - age))
    return name


def test_files_without_a_row_are_deleted_and_no_others(
    world: World, media: Path, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(upkeep, "ORPHAN_BATCH", 3)
    rows = [sent(world) for _ in range(4)]
    for row in rows:
        put(media, str(row.file.name))
    older = sent(world)
    # an older version gave names of their own
    (media / str(older.file.name)).unlink()
    Artefact.objects.filter(pk=older.pk).update(file=f"{world.org.pk}/{'a' * 32}")
    put(media, f"{world.org.pk}/{'a' * 32}")
    orphans = [put(media, f"{world.org.pk}/{n:032x}") for n in range(7)] + [put(media, f"999999/{'b' * 32}")]
    fresh = put(media, f"{world.org.pk}/{'c' * 32}", age=3_600)
    strangers = [put(media, name) for name in ("notes.txt", "1/readme", "backup/" + "d" * 32, "1/deeper/" + "e" * 32)]

    with django_capture_on_commit_callbacks(execute=True):
        sweep = Orphans()
        while sweep():
            pass

    left_over = {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}
    assert not left_over & set(orphans)
    assert left_over == {*(str(row.file.name) for row in rows), f"{world.org.pk}/{'a' * 32}", fresh, *strangers}


def test_a_sweep_follows_no_links(media: Path, tmp_path: Path, django_capture_on_commit_callbacks: Any) -> None:
    outside = tmp_path / "outside"
    put(outside, "f" * 32)
    media.mkdir()
    (media / "1").symlink_to(outside)

    with django_capture_on_commit_callbacks(execute=True):
        assert not Orphans()()

    assert (outside / ("f" * 32)).exists()


def test_without_a_folder_there_is_nothing_to_sweep(django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert not Orphans()()


def test_the_room_of_an_organisation_is_read_from_an_index(world: World, org_rows: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_artefact")
        cursor.execute("EXPLAIN SELECT sum(size_bytes) FROM jobs_artefact WHERE org_id = %s", [world.rival.pk])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "artefact_org_idx" in plan


@pytest.fixture
def org_rows(world: World) -> None:
    """Many files of one organisation, few of the other."""
    Artefact.objects.bulk_create(
        Artefact(org=org, name="x", content_type="a/b", size_bytes=1, sha256="x")
        for org, count in ((world.org, 3_000), (world.rival, 5))
        for _ in range(count)
    )
    assert Org.objects.count() == 2
