"""Real schedulers read what jobs are about, ask an endpoint on loopback, and learn what people correct."""

import json
from collections.abc import Iterator

import pytest

from jobs.models import ClassifierVersion, Job
from orgs.models import Org
from tests.factories import make_org
from tests.jobs.handlers.server import Exchange, Server, serving
from tests.processes import Fleet, patiently
from tests.scenarios.rest import Rest

TITLE = "Database timeout: primary pool exhausted"


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def server(fleet: Fleet) -> Iterator[Server]:
    with serving() as one:
        fleet.environ["SMARTQUEUE_CLASSIFIER_URL"] = f"{one.url}/v1"
        fleet.environ["SMARTQUEUE_CLASSIFIER_MODEL"] = "small-1"
        fleet.environ["SMARTQUEUE_CLASSIFIER_TIMEOUT_SECONDS"] = "1"
        yield one


def submit(rest: Rest, title: str) -> Job:
    answer = rest.post(
        "jobs/", {"type": "python", "payload": {"task": "demo.add", "kwargs": {"a": 1, "b": 2}}, "title": title}
    )
    assert answer.status == 201, answer
    return Job.objects.get(pk=answer.body["id"])


def told(job: Job) -> bool:
    job.refresh_from_db()
    return job.classification is not None


def test_a_scheduler_tells_it_and_the_leader_learns_a_correction(fleet: Fleet, org: Org) -> None:
    fleet.environ["SMARTQUEUE_LABELS_QUIET_SECONDS"] = "0"
    rest = Rest(fleet, org)
    fleet.scheduler()
    job = submit(rest, TITLE)
    patiently(lambda: told(job))
    assert (job.category, job.urgency) == ("Database", "high")

    answer = rest.post(f"jobs/{job.pk}/classification/", {"category": "Network", "urgency": "low"})

    assert answer.status == 200, answer
    patiently(lambda: ClassifierVersion.objects.for_org(org).filter(active=True).exists())
    again = submit(rest, TITLE)
    patiently(lambda: told(again))
    assert (again.category, again.urgency) == ("Network", "low")


def test_an_endpoint_that_hangs_delays_no_submit_and_the_classifier_tells_it(
    fleet: Fleet, org: Org, server: Server
) -> None:
    said = {"category": "Application", "urgency": "low", "confidence": 0.9}

    def answer(exchange: Exchange) -> None:
        if "slow" in server.asked[-1].body.decode():
            server.closing.wait(120)
        content = {"choices": [{"message": {"content": json.dumps(said)}}]}
        exchange.answer(200, json.dumps(content).encode(), {})

    server.do("/v1/chat/completions", answer)
    rest = Rest(fleet, org)
    fleet.scheduler()

    quick = submit(rest, TITLE)
    patiently(lambda: told(quick))
    slow = submit(rest, f"{TITLE}, and slow")
    patiently(lambda: told(slow))

    assert (quick.category, quick.urgency, quick.classification["source"]) == ("Application", "low", "llm")  # type: ignore[index]
    assert (slow.category, slow.urgency) == ("Database", "high")
