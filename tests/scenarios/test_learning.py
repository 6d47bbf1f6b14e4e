"""A model that is learned, taken into use and taken out again while real processes go on."""

import random
import time

import pytest

from jobs.models import Job, Learning, ModelVersion
from jobs.queue.enqueue import NewJob, enqueue_many
from orgs.roles import Role
from orgs.scope import find_scope
from tests.factories import make_history, make_member, make_org, make_version
from tests.processes import Fleet, patiently
from tests.scenarios.rest import Rest

pytestmark = pytest.mark.django_db(transaction=True)

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
RELOAD_SECONDS = 5.0
RUNS = 260
# More than the two processes of the web, however the calls fall to them.
CALLS = 20


def versions_said(site: Rest) -> set[int | None]:
    return {site.post("predict/", ADD).body["model_version"] for _ in range(CALLS)}


def test_every_process_uses_another_version_within_seconds(fleet: Fleet) -> None:
    org = make_org("acme")
    make_version(org, 1, active=True)
    make_version(org, 2)
    # of what nothing like it has run, no model is asked
    make_history(org, [5.0])
    site = Rest(fleet, org, Role.ORG_ADMIN)
    assert versions_said(site) == {1}

    for path, version in [("model/versions/2/promote/", 2), ("model/rollback/", 1)]:
        answer = site.post(path, {})
        answered = time.monotonic()

        assert (answer.status, answer.body["version"]) == (200, version)
        said = {version}
        while time.monotonic() < answered + RELOAD_SECONDS:
            said |= versions_said(site)
        # what is asked now comes later than that
        assert versions_said(site) == {version}
        assert said <= {1, 2}


def test_the_leader_learns_from_runs_and_its_model_predicts_the_next(fleet: Fleet) -> None:
    org = make_org("acme")
    scope = find_scope(make_member(org, Role.OPERATOR), org.slug)
    rng = random.Random(1)
    seconds = [0.01 * 20 ** rng.random() for _ in range(RUNS)]
    fleet.environ |= {"SMARTQUEUE_TRAIN_LOOK_SECONDS": "0.2", "SMARTQUEUE_TRAIN_MAX_SECONDS": "30"}
    fleet.scheduler()
    fleet.workers(1, "--concurrency", "4")
    # how long each takes is in its size, and nowhere else
    payloads = [{"task": "tests.nap", "kwargs": {"seconds": one, "note": "x" * int(one * 20_000)}} for one in seconds]
    enqueue_many([NewJob(type="python", payload=one) for one in payloads], org=org, user=scope.user)

    patiently(ModelVersion.objects.filter(org=org, active=True).exists)

    version = ModelVersion.objects.get(active=True)
    assert (version.version, version.source, version.promoted_by) == (1, "leader", "leader")
    assert version.reason.startswith("promoted: ")
    assert version.samples >= 200
    assert Learning.objects.get(org_id=org.pk).trained_runs >= 200
    site = Rest(fleet, org)
    assert site.post("predict/", ADD).body["source"] == "model"
    job = Job.objects.get(pk=site.submit("tests.nap", seconds=0.01, note="x"))
    assert (job.prediction_source, job.model_version) == ("model", 1)
    patiently(lambda: Job.objects.filter(pk=job.pk, status="done").exists())
