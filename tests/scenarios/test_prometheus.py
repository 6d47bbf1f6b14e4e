"""A whole deployment as Prometheus sees it: jobs by REST move its counters, and each panel and alert has data."""

import signal
from pathlib import Path

import pytest

from jobs.models import ClassifierCount, Job, StreamPosition
from orgs.models import Org
from tests.deploy.files import alerts, names_in, needs_prometheus, queries
from tests.factories import make_hour, make_org, make_version
from tests.jobs.metrics.reading import Series, value
from tests.processes import Fleet, patiently
from tests.scenarios.monitored import KINDS, Monitored, Prometheus, fetched, free_ports, scraped, until_up

ROUNDS = 15


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


@pytest.fixture
def site(fleet: Fleet, org: Org, tmp_path: Path) -> Monitored:
    site = Monitored.begin(fleet, org, tmp_path)
    patiently(site.answering)
    return site


def run_some(site: Monitored) -> None:
    """Jobs that are done, fail and are tried again, fail for good, are sent back, and cancelled."""
    for _ in range(3):
        site.rest.submit("demo.add", a=1, b=2)
    failing = site.rest.post(
        "jobs/", {"type": "python", "max_attempts": 2, "payload": {"task": "demo.fail_always", "kwargs": {}}}
    ).body["id"]
    waiting = site.rest.submit("demo.add", a=1, b=2, delay_seconds=3600)
    patiently(lambda: Job.objects.filter(status="failed", pk=failing).exists())
    assert site.rest.post(f"jobs/{failing}/replay/", {}).status < 300
    assert site.rest.post(f"jobs/{waiting}/cancellation/", {}).status < 300
    patiently(lambda: Job.objects.filter(status="failed", pk=failing, life=2).exists())


def counted(series: Series) -> dict[str, float | None]:
    python = {"job_type": "python"}
    return {
        "created": value(series, "jobs_created_total", **python),
        **{
            word: value(series, "jobs_completed_total", status=word, **python)
            for word in ("done", "failed", "cancelled")
        },
        **{
            word: value(series, f"jobs_{word}_total", **python)
            for word in ("failed", "retried", "sent_to_dlq", "replayed")
        },
        "attempts": value(series, "job_processing_duration_seconds_count"),
        "runs": value(series, "job_duration_seconds_count", **python),
    }


# three that add, one that is cancelled, and one of two lives with two attempts each
COUNTED = {
    "created": 5, "done": 3, "cancelled": 1, "failed": 4, "retried": 2, "sent_to_dlq": 2, "replayed": 1,
    "attempts": 7, "runs": 3,
}  # fmt: skip


def test_jobs_by_rest_are_counted_once_by_whichever_process_is_asked_also_after_restarts(site: Monitored) -> None:
    run_some(site)
    patiently(lambda: counted(scraped(site.web)) == COUNTED)

    # two web processes answer in turn
    assert all(counted(scraped(site.web)) == COUNTED for _ in range(ROUNDS))
    answered = [scraped(site.web)["django_http_responses_before_middlewares_total", frozenset()] for _ in range(ROUNDS)]
    assert answered == sorted(answered)
    assert len(set(answered)) == ROUNDS

    site.fleet.processes[0].send(signal.SIGKILL)
    again = Monitored(site.fleet, site.rest, site.ports)
    again.rest.url = site.fleet.web()
    patiently(again.rest.ready)
    assert counted(scraped(again.web)) == COUNTED


def test_each_process_tells_of_itself_to_whom_it_should(site: Monitored) -> None:
    run_some(site)

    for kind in KINDS:
        assert fetched(site.url(kind), token="")[0] == 404
        assert fetched(site.url(kind), token="wrong")[0] == 404
        assert fetched(site.url(kind).removesuffix("/metrics"))[0] == 404
        found = scraped(site.url(kind))
        assert [dict(labels)["kind"] for name, labels in found if name == "smartqueue_process_info"] == [kind]
        assert value(found, "process_step_duration_seconds_count")
        assert ("process_cpu_seconds_total", frozenset()) in found
        assert ("python_gc_collections_total", frozenset({("generation", "0")})) in found
    worker = scraped(site.url("worker"))
    assert (value(worker, "process_slots"), value(worker, "process_slots_busy")) == (5, 0)
    assert value(worker, "process_claimed_total") == value(worker, "process_ended_total") == 7
    scheduler = scraped(site.url("scheduler"))
    assert value(scheduler, "process_leading") == 1
    assert (value(scheduler, "process_chore_duration_seconds_count", chore="promote") or 0) > 0


def test_a_port_that_is_taken_is_said_at_the_start(site: Monitored) -> None:
    for kind in KINDS:
        other = site.fleet.manage(f"run{kind}", "--metrics-port", str(site.ports[kind]))

        assert other.ended() == 1
        assert f"--metrics-port {site.ports[kind]} of 127.0.0.1: Address already in use" in other.text


def test_several_workers_of_one_command_have_a_port_each(fleet: Fleet, org: Org, site: Monitored) -> None:
    ports = free_ports(2)
    fleet.manage("runworker", "--processes", "2", METRICS_PORT=str(ports[0]))

    def both() -> bool:
        answers = [fetched(f"http://127.0.0.1:{port}/metrics") for port in ports]
        return all(status == 200 and "smartqueue_process_slots 5.0" in text for status, text in answers)

    patiently(both)


@needs_prometheus
def test_each_panel_and_alert_has_data_in_a_real_prometheus(site: Monitored, org: Org, tmp_path: Path) -> None:
    make_hour(org, ranged=100, in_range=80)
    make_version(org, 1, active=True)
    ClassifierCount.objects.create(org_id=org.pk, hits=3, misses=1)
    StreamPosition.objects.create(name="kafka", position=0)
    prometheus = Prometheus.begin(site, tmp_path)
    until_up(prometheus)
    run_some(site)

    def empty() -> list[str]:
        filled = [
            (title, text.replace("$__rate_interval", "1m").replace("$job_type", ".*")) for title, text in queries()
        ]
        return [title for title, query in filled if not prometheus.result(query)]

    patiently(lambda: empty() == [], every_seconds=1.0)
    rules = [rule for group in prometheus.asked("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == {rule["alert"] for rule in alerts()}
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    for rule in alerts():
        for name in names_in(rule["expr"]):
            assert prometheus.result(f"count({name})"), (rule["alert"], name)
