"""Commands to workers: who may give them, and that they are obeyed."""

from pathlib import Path
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from jobs.errors import WorkerGone, WorkerNotFound
from jobs.models import Job, WorkerProcess
from jobs.queue.worker_control import tell
from orgs.models import AuditEntry
from orgs.roles import Role
from orgs.scope import Scope
from tests.analytics.rows import make_process
from tests.conftest import World
from tests.factories import WORKER, api, make_job, make_key, make_org, make_user, with_key
from tests.jobs.queue.acts import scope_of
from tests.processes import Fleet, patiently

CLAIMS = "/api/v1/worker/claims/"


def platform(world: World) -> Scope:
    return Scope(world.platform_admin, world.org, Role.ORG_ADMIN)


@pytest.mark.django_db
def test_a_shared_worker_is_told_by_a_platform_admin_only(world: World) -> None:
    make_process()
    with pytest.raises(PermissionDenied):
        tell(WORKER, "quiet", scope=scope_of(world))

    tell(WORKER, "quiet", scope=platform(world), reason="disk")

    process = WorkerProcess.objects.get(pk=WORKER)
    assert (process.asked, process.asked_by, process.obeyed_at) == ("quiet", world.platform_admin, None)
    entry = AuditEntry.objects.get(action="worker.quiet")
    assert (entry.target, entry.detail["reason"]) == (process.name, "disk")


@pytest.mark.django_db
def test_over_the_api_it_is_the_same(world: World) -> None:
    make_process()
    path = f"/api/v1/workers/{WORKER}/commands/"
    assert api(world.owner).post(path, {"command": "stop"}).status_code == 403
    assert api(world.operator).post(path, {"command": "stop"}).status_code == 403
    answer = api(world.platform_admin, world.org).post(path, {"command": "stop"})
    assert (answer.status_code, answer.json()["command"], answer.json()["obeyed_at"]) == (202, "stop", None)
    again = api(world.platform_admin, world.org).post(path, {"command": "resume"})
    assert (again.status_code, again.json()["type"].rpartition(":")[2]) == (409, "worker_gone")


@pytest.mark.django_db
def test_one_that_has_ended_or_is_not_his_cannot_be_told(world: World) -> None:
    make_process(status="offline", stopped_at=timezone.now())
    with pytest.raises(WorkerGone):
        tell(WORKER, "quiet", scope=platform(world))
    WorkerProcess.objects.update(org_id=world.rival.pk, status="online")
    for scope in (scope_of(world), platform(world)):
        with pytest.raises(WorkerNotFound):
            tell(WORKER, "quiet", scope=scope)
    with pytest.raises(WorkerNotFound):
        tell(UUID(int=5), "quiet", scope=platform(world))


@pytest.mark.django_db
def test_an_own_worker_is_given_nothing_while_it_is_quiet(world: World) -> None:
    client = with_key(make_key(world.owner, world.org))
    ask = {"worker": "w1", "queues": ["own"], "slots": 2}
    assert client.post(CLAIMS, ask).status_code == 204
    process = WorkerProcess.objects.get(org_id=world.org.pk)
    make_job(world.org, type="external", payload={"task": "t"}, queue="own")

    tell(process.pk, "quiet", scope=scope_of(world))
    answer = client.post(CLAIMS, ask)

    assert (answer.status_code, answer["SmartQueue-Command"], answer["Retry-After"]) == (204, "quiet", "2")
    process.refresh_from_db()
    assert process.obeyed_at is not None
    assert client.post(CLAIMS, ask).status_code == 204
    process.refresh_from_db()
    assert process.status == "quiet"
    tell(process.pk, "resume", scope=scope_of(world))
    (job,) = client.post(CLAIMS, ask).json()["jobs"]
    process.refresh_from_db()
    assert (process.status, process.obeyed_at is not None) == ("online", True)
    tell(process.pk, "stop", scope=scope_of(world))
    renewed = client.post(f"/api/v1/worker/leases/{job['lease']}/renewal/", {}).json()
    assert renewed["command"] == "stop"
    # it ends, and begins anew under its name: then it has been told nothing
    assert client.post("/api/v1/worker/departure/", {"worker": "w1"}).status_code == 204
    assert "SmartQueue-Command" not in client.post(CLAIMS, ask)
    process.refresh_from_db()
    assert (process.asked, process.status) == ("", "online")


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_is_quiet_goes_on_and_ends_as_it_is_told(tmp_path: Path) -> None:
    org = make_org()
    admin = make_user("root", is_superuser=True)
    scope = Scope(admin, org, Role.ORG_ADMIN)
    fleet = Fleet(tmp_path)
    try:
        (worker,) = fleet.workers(1, "--queues", "*", "--label", "zone=b", "--label", "disk=ssd")
        process = WorkerProcess.objects.get(pid=worker.pid)
        assert process.labels == {"zone": "b", "disk": "ssd"}
        first = make_job(org)
        patiently(lambda: Job.objects.get(pk=first.pk).status == "done")

        tell(process.pk, "quiet", scope=scope)
        patiently(lambda: WorkerProcess.objects.get(pk=process.pk).obeyed_at is not None)
        assert WorkerProcess.objects.get(pk=process.pk).status == "quiet"
        waits = make_job(org)
        beat = WorkerProcess.objects.get(pk=process.pk).beat_at
        patiently(lambda: WorkerProcess.objects.get(pk=process.pk).beat_at > beat)
        assert Job.objects.get(pk=waits.pk).status == "queued"
        assert WorkerProcess.objects.get(pk=process.pk).status == "quiet"

        tell(process.pk, "resume", scope=scope)
        patiently(lambda: Job.objects.get(pk=waits.pk).status == "done")
        tell(process.pk, "stop", scope=scope)
        assert worker.ended() == 0
        last = WorkerProcess.objects.get(pk=process.pk)
        assert (last.status, last.asked, last.obeyed_at is not None) == ("offline", "stop", True)
    finally:
        for one in fleet.processes:
            one.close()


@pytest.mark.django_db(transaction=True)
def test_labels_that_are_none_are_refused(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    process = fleet.manage("runworker", "--label", "no value")
    assert process.ended() != 0
    assert "KEY=VALUE" in process.text
    process.close()
