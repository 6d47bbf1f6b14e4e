"""A submit is a promise kept on disk; it must not be a slow one."""

import time
from typing import Any

from django.db import connection

from bench import sizes
from bench.ours import web
from bench.ours.stage import Stage
from bench.ours.stream import Stream, accepted, summary
from jobs.models import ModelVersion
from jobs.queue.upkeep import fold_runs
from jobs.training import train_org
from orgs.models import Org

ABOUT = (
    "submits over REST at a steady rate, 2 gunicorn workers, a connection each; from the moment each was due to its "
    "answer; the run with the median p99"
)
SIZES = ("TIMES", "REST_RATE", "REST_SECONDS", "REST_RUNS")


def measure(stage: Stage) -> dict[str, Any]:
    runs = sorted((one_run(stage) for _ in range(sizes.TIMES)), key=lambda figures: figures["p99_ms"])
    return {
        **runs[len(runs) // 2],
        "errors_of_all_runs": sum(figures["errors"] for figures in runs),
        "p99_ms_of_each_run": [figures["p99_ms"] for figures in runs],
    }


def one_run(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    learn(stage)
    before = stage.number("SELECT count(*) FROM jobs_job")
    with web.serving(stage) as address:
        with Stream(address, web.access_token(), sizes.REST_RATE) as stream:
            time.sleep(sizes.REST_SECONDS)
        answers = list(stream.answers)
    stored = stage.number("SELECT count(*) FROM jobs_job") - before
    promised = accepted(answers) + stream.warmed_up
    if stored != promised:
        raise AssertionError(f"{promised} submits were accepted, {stored} jobs stored")
    return {
        **summary(answers),
        "stored": stored,
        "predicted_by_the_model": stage.number("SELECT count(*) FROM jobs_job WHERE prediction_source = 'model'"),
        "transitions": stage.number("SELECT count(*) FROM jobs_transition WHERE from_status IS NULL") - before,
        "audit_entries": stage.number("SELECT count(*) FROM orgs_auditentry"),
    }


def learn(stage: Stage) -> None:
    """Let there be a model, so that each submit asks it. How good it is does not matter here."""
    stage.drain(sizes.REST_RUNS, 1, str(sizes.SLOTS))
    while fold_runs():
        pass
    train_org(Org.objects.get(slug="bench"), max_seconds=3)
    ModelVersion.objects.update(active=True)
    connection.close()
