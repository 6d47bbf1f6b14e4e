"""One organisation floods a queue over REST; another's jobs start as if it had its share to itself."""

from jobs.models import Attempt, Job
from orgs.models import Org
from tests.factories import make_org
from tests.processes import Fleet, patiently
from tests.proofs import figure
from tests.scenarios.rest import Rest

ADD = {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}}
FLOOD, BULK, QUIET = 3_000, 500, 10
# In order of arrival all of the flood would be before them; by share about as many as they are themselves. What two
# workers have claimed when they come, and what is claimed for both at once, is on top.
MOST_BEFORE = 300


def starts(org: Org) -> list[float]:
    moments = (
        Attempt.objects.filter(org_id=org.pk, number=1).order_by("started_at").values_list("started_at", flat=True)
    )
    return [moment.timestamp() for moment in moments]


def test_a_quiet_organisation_is_not_behind_what_another_put_in_before_it(fleet: Fleet) -> None:
    loud, quiet = make_org("loud"), make_org("quiet")
    flooding = Rest(fleet, loud)
    going_on = Rest(fleet, quiet)
    fleet.scheduler()

    for _ in range(FLOOD // BULK):
        answer = flooding.post("jobs/bulk/", {"jobs": [ADD] * BULK})
        assert answer.status == 200
    for _ in range(QUIET):
        assert going_on.post("jobs/", ADD).status == 201
    fleet.workers(2, "--queues", "*", "--concurrency", "5")
    patiently(lambda: Job.objects.for_org(quiet).filter(status="done").count() == QUIET)

    last = starts(quiet)[-1]
    before = sum(moment < last for moment in starts(loud))
    figure("fair use: jobs of a flood that start before ten of another", flood=FLOOD, quiet=QUIET, before=before)
    assert before <= MOST_BEFORE
    patiently(lambda: Job.objects.filter(status="done").count() == FLOOD + QUIET)
