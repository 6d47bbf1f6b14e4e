"""Prometheus: what the database knows, read at each scrape, beside the HTTP metrics of the web processes."""

import hmac
import os
from collections.abc import Iterable

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from jobs.models import ClassifierCount, WorkerProcess
from jobs.queue import sql
from jobs.states import Status
from jobs.stream.lag import lag_metrics
from orgs import walls
from orgs.client import client_address
from orgs.models import AuditEntry, AuditHead
from orgs.pages import open_page
from orgs.roles import Gate

LOOPBACK = {"127.0.0.1", "::1"}


class QueueCollector(Collector):
    """Over all organisations; no organisation, queue or job is named in a label."""

    def collect(self) -> Iterable[Metric]:
        jobs = {row.status: row.jobs for row in sql.run("status_totals")}
        workers = WorkerProcess.objects.filter(kind="worker", status=WorkerProcess.ONLINE, org_id=None).count()
        yield gauge("queue_depth", "Jobs waiting to be claimed.", jobs.get(Status.QUEUED, 0))
        yield gauge("active_jobs_count", "Jobs being run.", jobs.get(Status.RUNNING, 0))
        yield gauge("dlq_size", "Failed jobs kept for a person.", jobs.get(Status.FAILED, 0))
        yield gauge("worker_count", "Workers online.", workers)
        by_status = GaugeMetricFamily("smartqueue_jobs", "Jobs by status.", labels=["status"])
        for status in Status:
            by_status.add_metric([status], jobs.get(status, 0))
        yield by_status
        count = ClassifierCount.objects.aggregate(hits=Sum("hits"), misses=Sum("misses"))
        yield counter("classification_cache_hits", "Texts of jobs answered from memory.", count["hits"])
        yield counter("classification_cache_misses", "Texts of jobs read anew.", count["misses"])
        yield from predictions()
        yield from audit_seals()
        yield from lag_metrics()


def audit_seals() -> Iterable[Metric]:
    """The newest seal of the audit trail: kept outside of the database, it shows a tail that was cut off there."""
    head = AuditHead.objects.first()
    unsealed = AuditEntry.objects.filter(pk__gt=head.last_id if head else 0).order_by("pk").first()
    waits = max((timezone.now() - unsealed.at).total_seconds(), 0) if unsealed else 0
    yield gauge("audit_unsealed_seconds", "Age of the oldest entry of the audit trail without a seal.", waits)
    yield gauge("audit_seals", "Seals of the audit trail; it never falls.", head.number if head else 0)
    yield gauge("audit_sealed_id", "The id of the newest sealed entry; it never falls.", head.last_id if head else 0)
    # Twelve hexadecimal digits are the most that a metric holds exactly; a label would be a new series with each seal.
    start = int(head.sha256[:12], 16) if head else 0
    yield gauge("audit_head", "The first 48 bits of the newest seal's hash, as a number.", start)


def predictions() -> Iterable[Metric]:
    """How near they came over the runs that ended in this hour and the one before; nothing of a quiet time."""
    (near,) = sql.run("accuracy_totals")
    if near.runs:
        yield gauge("prediction_mape", "Mean |predicted - actual| / actual of run times.", near.mape)
        yield gauge("prediction_log2_error", "Mean |log2(predicted / actual)| of run times.", near.log2_error)
    if near.coverage is not None:
        yield gauge("prediction_coverage", "Share of run times within p10 to p90; should be 0.8.", near.coverage)
    (models,) = sql.run("model_totals", drift_seconds=settings.DRIFT_SECONDS)
    yield gauge("models_active", "Organisations with a model in use.", models.active)
    yield gauge("models_drifting", "Those of them whose model drifts.", models.drifting)
    yield gauge("training_failures", "Trainings that failed since one ended well.", models.failures)


def gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"smartqueue_{name}", meaning, value=value)


def counter(name: str, meaning: str, value: int | None) -> CounterMetricFamily:
    return CounterMetricFamily(f"smartqueue_{name}", meaning, value=value or 0)


@open_page(gate=Gate.OPERATIONS)
def metrics_view(request: HttpRequest) -> HttpResponse:
    """The scrape. Not for tenants: a bearer token, or from loopback where no token is set."""
    if not may_scrape(request):
        return HttpResponse(status=404)
    walls.open_for(walls.Across.METRICS)
    ours = CollectorRegistry()
    ours.register(QueueCollector())
    web = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        web = CollectorRegistry()
        MultiProcessCollector(web)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(web) + generate_latest(ours), content_type=CONTENT_TYPE_LATEST)


def may_scrape(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        sent = request.headers.get("Authorization", "")
        return hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    return client_address(request) in LOOPBACK
