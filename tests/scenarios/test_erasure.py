"""Leaders that are killed in the middle of erasing an organisation of many jobs; the last one comes to the end."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from jobs.models import Job
from orgs import audit
from orgs.audit_verify import verify
from orgs.models import AuditEntry, Org
from tests.factories import make_member, make_org
from tests.jobs.queue.plans import MANY
from tests.jobs.whole_org import checksums, counts, files_of, fill_org, make_file
from tests.processes import Fleet, leader_pid, patiently

pytestmark = pytest.mark.django_db(transaction=True)

JOBS, FILES, KILLS = 40_000, 300, 3
# Of the other these are nobody's to change meanwhile.
KEPT = ("jobs_job", "jobs_attempt", "jobs_transition", "jobs_logline", "jobs_artefact", "jobs_label", "orgs_membership")


def many(org: Org, jobs: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"org_id": org.pk, "status": "failed", "jobs": jobs, "days": 1})
    for number in range(FILES):
        make_file(org)
        audit.record("test.act", org=org, target=number)


def test_leaders_that_are_killed_leave_nothing_behind(fleet: Fleet, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    fleet.environ |= {"SMARTQUEUE_MEDIA_ROOT": str(settings.MEDIA_ROOT), "SMARTQUEUE_AUDIT_SEAL_SECONDS": "0.2"}
    gone, stays = make_org("gone"), make_org("stays")
    for org, jobs in ((gone, JOBS), (stays, 1_000)):
        fill_org(org, make_member(org, "org_admin"))
        many(org, jobs)
    # what waits would be moved on
    Job.objects.filter(org=stays, status__in=["queued", "scheduled"]).delete()
    before = {table: text for table, text in checksums(stays.pk).items() if table in KEPT}
    # begun long enough ago for its end not to be waited for
    Org.objects.filter(pk=gone.pk).update(erase_at=Now() - timedelta(hours=2), erasing_at=Now() - timedelta(hours=1))

    for kill in range(KILLS):
        leader = fleet.scheduler()
        patiently(lambda leader=leader: leader_pid() == leader.pid)
        left = (KILLS - kill) * JOBS // (KILLS + 1)
        patiently(lambda left=left: Job.objects.filter(org=gone).count() <= left)
        leader.send(signal.SIGKILL)
        leader.ended()
        assert Org.objects.filter(pk=gone.pk).exists()
    fleet.scheduler()
    patiently(lambda: not Org.objects.filter(pk=gone.pk).exists())

    assert {table: rows for table, rows in counts(gone.pk).items() if rows} == {}
    assert files_of(gone.pk) == []
    assert {table: text for table, text in checksums(stays.pk).items() if table in KEPT} == before
    assert len(files_of(stays.pk)) == FILES + 2
    assert AuditEntry.objects.filter(action="org.erased", target=gone.pk).count() == 1
    patiently(lambda: verify().unsealed == 0)
    assert not verify().found
