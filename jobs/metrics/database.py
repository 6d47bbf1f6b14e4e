"""What the database knows, read at each scrape, over all organisations: none of them, no queue or job is in a label."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from jobs.metrics.families import counter, gauge, gauges
from jobs.metrics.totals import totals
from jobs.models import ClassifierCount
from jobs.queue import sql
from jobs.states import Status
from jobs.stream.lag import lag_metrics
from orgs.models import AuditEntry, AuditHead

# Of each organisation no more of its oldest jobs are looked through for one that is not held back.
BOUND = 10_000


class DatabaseCollector(Collector):
    def collect(self) -> Iterable[Metric]:
        yield from statuses()
        yield from totals()
        yield from vital_signs()
        count = ClassifierCount.objects.aggregate(hits=Sum("hits"), misses=Sum("misses"))
        yield counter("classification_cache_hits", "Texts of jobs answered from memory.", count["hits"])
        yield counter("classification_cache_misses", "Texts of jobs read anew.", count["misses"])
        yield from predictions()
        yield from audit_seals()
        yield from storage()
        yield from lag_metrics()


def statuses() -> Iterable[Metric]:
    jobs = {row.status: row.jobs for row in sql.run("status_totals")}
    yield gauge("queue_depth", "Jobs waiting to be claimed.", jobs.get(Status.QUEUED, 0))
    yield gauge("active_jobs_count", "Jobs being run.", jobs.get(Status.RUNNING, 0))
    yield gauge("dlq_size", "Failed jobs kept for a person.", jobs.get(Status.FAILED, 0))
    yield gauges("jobs", "Jobs by status.", "status", {str(status): jobs.get(status, 0) for status in Status})


def vital_signs() -> Iterable[Metric]:
    (now,) = sql.run(
        "vital_signs",
        dead_seconds=settings.WORKER_DEAD_SECONDS,
        stale_seconds=settings.LEADER_STALE_SECONDS,
        bound=BOUND,
    )
    yield gauge("worker_count", "Workers online.", now.workers)
    yield gauge("worker_slots", "Jobs that the workers online can run at once.", now.slots)
    yield gauge("worker_slots_busy", "Jobs that workers of the deployment run.", now.busy_slots)
    kinds = {"worker": now.workers, "scheduler": now.schedulers, "watchdog": now.watchdogs}
    yield gauges("processes", "Processes whose heart beats, by kind.", "kind", kinds)
    yield gauge("leader", "Whether a scheduler leads: 1 or 0.", now.leaders)
    yield counter("leader_terms", "Elections of a leader.", now.terms)
    oldest = "How long the oldest job waits that a worker may take now: neither paused, nor limited, nor external."
    yield gauge("oldest_waiting_seconds", oldest, now.oldest_waiting_seconds or 0)
    late = "How long the oldest job has been due that is not queued yet."
    yield gauge("promotion_lag_seconds", late, now.promotion_lag_seconds or 0)
    yield gauge("schedule_lag_seconds", "How long the oldest schedule has been due.", now.schedule_lag_seconds or 0)
    sent = "How long the oldest event for a webhook has been due that nobody sends."
    yield gauge("delivery_lag_seconds", sent, now.delivery_lag_seconds or 0)
    yield gauge("webhooks_failing", "Webhooks whose next delivery failed before.", now.webhooks_failing)
    yield gauge("webhooks_disabled", "Webhooks that were turned off because they failed.", now.webhooks_disabled)
    yield gauge("database_bytes", "Size of the database on its disk.", now.database_bytes)


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
        yield gauge("prediction_mape", "Mean of abs(predicted - actual) / actual, of run times.", near.mape)
        yield gauge("prediction_log2_error", "Mean of abs(log2(predicted / actual)), of run times.", near.log2_error)
    if near.coverage is not None:
        yield gauge("prediction_coverage", "Share of run times within p10 to p90; should be 0.8.", near.coverage)
    (models,) = sql.run("model_totals", drift_seconds=settings.DRIFT_SECONDS)
    yield gauge("models_active", "Organisations with a model in use.", models.active)
    yield gauge("models_drifting", "Those of them whose model drifts.", models.drifting)
    yield gauge("training_failures", "Trainings that failed since one ended well.", models.failures)


def storage() -> Iterable[Metric]:
    """Of the disk that artefacts are on; a bucket has no end."""
    if settings.ARTEFACTS_IN_S3:
        return
    folder = Path(settings.MEDIA_ROOT)
    # it is made with the first file
    disk = shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.exists()))
    yield gauge("artefact_disk_bytes", "Size of the disk that artefacts are on.", disk.total)
    yield gauge("artefact_disk_free_bytes", "What is free of it.", disk.free)
