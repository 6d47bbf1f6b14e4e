"""The demo's trickle: every kind of job that it submits is accepted and does its work, here and without a network."""

from pathlib import Path
from random import Random

import pytest
from pytest_django.fixtures import Settings

from jobs.handlers import registry
from jobs.models import Artefact, Job
from jobs.queue.finish import finish
from orgs.models import AuditEntry, Org
from smartqueue.demo import trickle
from smartqueue.demo.trickle import DROPS, ENOUGH_WAITING, Drop, Trickle
from tests.conftest import World
from tests.factories import claim_all, make_job
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.handlers.server import serving

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLE = Path(__file__).parents[2] / "static" / "sample.png"


@pytest.fixture
def org(world: World, settings: Settings, tmp_path: Path) -> Org:
    settings.MEDIA_ROOT, settings.WORK_ROOT = str(tmp_path / "kept"), str(tmp_path / "work")
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    world.org.shell_programs = ["/usr/bin/wc"]
    world.org.save()
    return world.org


@pytest.mark.parametrize("kind", DROPS, ids=lambda kind: kind.name)
def test_each_kind_runs(kind: Drop, org: Org, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trickle, "DROPS", (kind,))
    with serving() as server:
        server.on("/healthz", body='{"status": "ok"}')
        server.on("/static/sample.png", body=SAMPLE.read_bytes())
        settings.PUBLIC_URL, settings.HTTP_ALLOW_HOSTS = f"http://{server.authority}", [server.authority]

        assert Trickle(Random(7)).drop(org)
        finish([make_attempt(claimed).run() for claimed in claim_all(kind.queue)], worker_name="tester-1")

    job = Job.objects.get()
    fails = kind.name in ("demo.flaky", "demo.fail_always")
    assert (job.status, job.created_by) == ("scheduled" if fails else "done", None), job.error


def test_there_is_something_of_every_type_that_runs_here() -> None:
    assert {kind.type for kind in DROPS} == set(registry.offered()) - {"external"}


def test_what_its_jobs_read_is_sent_once(org: Org) -> None:
    first = trickle.sent(org)

    assert trickle.sent(org) == first
    assert Artefact.objects.count() == len(first) == 2
    assert AuditEntry.objects.filter(action="artefact.send").count() == 2


def test_it_leaves_the_workers_time_to_catch_up(org: Org) -> None:
    for _ in range(ENOUGH_WAITING):
        make_job(org)

    assert not Trickle(Random(7)).drop(org)
    assert Job.objects.count() == ENOUGH_WAITING
