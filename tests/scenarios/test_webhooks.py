"""Real schedulers deliver to a real receiver, whoever leads, and whoever is killed on the way."""

import signal
import threading
from collections.abc import Iterator

import pytest
from django.db.models.functions import Now
from standardwebhooks import Webhook

from jobs.delivery.signing import new_secret
from jobs.models import Delivery
from orgs.models import Org
from tests.factories import make_dead_letter, make_job, make_org, make_webhook
from tests.jobs.delivery.rounds import make_due
from tests.jobs.handlers.server import Exchange, Server, serving
from tests.processes import Fleet, leader_pid, patiently
from tests.scenarios.test_workers import wait_done


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def server(fleet: Fleet) -> Iterator[Server]:
    with serving() as one:
        fleet.environ["SMARTQUEUE_HTTP_ALLOW_HOSTS"] = one.authority
        yield one


def all_delivered() -> bool:
    rows = Delivery.objects.values_list("status", flat=True)
    return bool(rows) and set(rows) == {Delivery.DELIVERED}


def test_a_job_that_a_worker_ends_is_told_of_by_a_scheduler(fleet: Fleet, org: Org, server: Server) -> None:
    secret = new_secret()
    make_webhook(org, server.on("/hook"), secret=secret)
    fleet.scheduler()
    fleet.workers(1)
    done = make_job(org)
    failed = make_job(org, payload={"task": "demo.fail_always", "kwargs": {}}, max_attempts=1)

    wait_done(done)
    patiently(lambda: Delivery.objects.filter(status=Delivery.DELIVERED).count() == 2)

    told = {}
    for asked in server.asked:
        message = Webhook(secret).verify(asked.body, asked.headers)
        told[message["data"]["job"]["id"]] = message["type"]
    assert told == {str(done.pk): "job.done", str(failed.pk): "job.failed"}


def test_every_scheduler_delivers_and_killing_one_loses_nothing(fleet: Fleet, org: Org, server: Server) -> None:
    gate, inside = threading.Event(), threading.Event()

    def slowly(exchange: Exchange) -> None:
        inside.set()
        gate.wait(60)
        exchange.answer(200, b"", {})

    make_webhook(org, server.do("/hook", slowly))
    first = fleet.scheduler()
    patiently(lambda: leader_pid() == first.pid)
    make_dead_letter(org)
    assert inside.wait(60)

    # it has sent, and can say nothing of it any more
    first.send(signal.SIGKILL)
    gate.set()
    assert Delivery.objects.get().status == Delivery.PENDING
    fleet.scheduler()
    make_due()
    patiently(all_delivered)

    assert server.hits == 2
    assert len({(asked.headers["webhook-id"], asked.body) for asked in server.asked}) == 1
    assert Delivery.objects.get().attempt == 2


def test_a_standby_delivers_while_another_leads(fleet: Fleet, org: Org, server: Server) -> None:
    leader = fleet.scheduler()
    patiently(lambda: leader_pid() == leader.pid)
    fleet.ready([fleet.scheduler()])
    leader.send(signal.SIGSTOP)
    make_webhook(org, server.on("/hook"))
    make_dead_letter(org)

    patiently(all_delivered)

    leader.send(signal.SIGCONT)
    assert server.hits == 1


def test_a_scheduler_that_is_told_to_stop_ends_in_time_with_a_request_under_way(
    fleet: Fleet, org: Org, server: Server
) -> None:
    inside = threading.Event()

    def hang(exchange: Exchange) -> None:
        inside.set()
        server.closing.wait(60)

    make_webhook(org, server.do("/hook", hang))
    make_dead_letter(org)
    scheduler = fleet.scheduler()
    assert inside.wait(60)

    scheduler.send(signal.SIGTERM)

    patiently(lambda: not scheduler.running, within_seconds=15)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts_before) == (Delivery.PENDING, 1)
    assert Delivery.objects.filter(next_at__lte=Now()).exists()
