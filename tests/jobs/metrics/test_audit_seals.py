"""What Prometheus is told of the audit trail's seals, to be kept where nobody of the database can change it."""

import pytest

from jobs.metrics.database import audit_seals
from orgs import audit
from orgs.audit_seals import Sealer
from orgs.models import AuditEntry, AuditHead

pytestmark = pytest.mark.django_db


def told() -> dict[str, float]:
    samples = [metric.samples[0] for metric in audit_seals()]
    assert not any(sample.labels for sample in samples)
    return {sample.name.removeprefix("smartqueue_audit_"): sample.value for sample in samples}


def test_of_an_empty_trail_all_is_nought() -> None:
    assert told() == {"unsealed_seconds": 0, "seals": 0, "sealed_id": 0, "head": 0}


def test_the_newest_seal_is_told_so_that_verify_audit_can_be_given_it() -> None:
    audit.record("test.act")
    waiting = told()
    Sealer()(1)

    found = told()

    assert waiting["unsealed_seconds"] > found["unsealed_seconds"] == 0
    assert (found["seals"], found["sealed_id"]) == (1, AuditEntry.objects.get().pk)
    assert f"{int(found['head']):012x}" == AuditHead.objects.get().sha256[:12]
