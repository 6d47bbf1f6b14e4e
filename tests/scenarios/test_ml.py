"""ml jobs by real workers: from REST to a file that scikit-learn agrees with, and how they end before their time."""

import csv
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3
from sklearn.ensemble import HistGradientBoostingClassifier

from jobs.files import store
from jobs.models import Artefact, Job, Lease
from orgs.models import Org
from orgs.roles import Role
from orgs.tokens import give_tokens
from tests.factories import api, make_job, make_member, make_org
from tests.jobs.handlers.ml_tools import as_csv, plain_table
from tests.jobs.queue.whole import assert_whole
from tests.processes import Fleet, below, patiently
from tests.proofs import figure, times

XS = ["x0", "x1", "x2", "x3"]


@pytest.fixture
def org(fleet: Fleet) -> Org:
    return make_org("acme")


def sent(org: Org, data: bytes, name: str = "table.csv") -> str:
    stored = store(org.pk, io.BytesIO(data), max_bytes=500_000_000)
    fields = {"size_bytes": stored.size_bytes, "sha256": stored.sha256, "file": stored.name}
    return str(Artefact.objects.create(org=org, name=name, content_type="text/csv", **fields).pk)


def long_training(org: Org, **fields: Any) -> Job:
    """Some minutes of it."""
    random = np.random.default_rng(1)
    rows = 20_000
    table = {f"x{number}": random.normal(size=rows).round(4).tolist() for number in range(10)}
    table["y"] = random.normal(size=rows).tolist()
    payload = {
        "task": "train",
        "data": {"artefact": sent(org, as_csv(table))},
        "target": "y",
        "model": "random_forest",
        "cross_validation": 10,
        "parameters": {"n_estimators": 500, "max_features": "all", "max_depth": 12},
    }
    return make_job(org, type="ml", payload=payload, max_attempts=1, **fields)


def over(job: Job) -> bool:
    job.refresh_from_db()
    return job.status in ("done", "failed", "cancelled")


def moving(job: Job) -> bool:
    return Lease.objects.filter(job_id=job.pk, progress__gt=0.1).exists()


def test_from_a_table_over_a_model_to_predictions_by_rest(fleet: Fleet, org: Org) -> None:
    table, new = plain_table(400, 3), plain_table(500, 3)
    token = give_tokens(make_member(org, Role.OPERATOR)).access_token
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    url, pool = fleet.web(), urllib3.PoolManager(retries=urllib3.Retry(30, backoff_factor=0.1))
    fleet.workers(1)

    def result_of(payload: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"type": "ml", "payload": payload})
        reply = pool.request("POST", f"{url}/api/v1/jobs/", body=body, headers=headers)
        assert reply.status == 201, reply.data
        job = Job.objects.get(pk=reply.json()["id"])
        patiently(lambda: over(job))
        assert job.status == "done", job.error
        return {"job": str(job.pk), **job.result}

    trained = result_of(
        {
            "task": "train",
            "data": {"artefact": sent(org, as_csv(table))},
            "target": "class",
            "features": XS,
            "test_share": 0,
            "seed": 3,
            "parameters": {"max_iter": 40},
        }
    )
    predicted = result_of(
        {
            "task": "predict",
            "data": {"artefact": sent(org, as_csv(new))},
            "model_artefact": trained["model_artefact"],
            "output": {"probabilities": True},
        }
    )

    path = f"{url}/api/v1/jobs/{predicted['job']}/artefacts/{predicted['predictions_artefact']}/"
    reply = pool.request("GET", path, headers=headers)
    assert reply.status == 200
    rows = list(csv.DictReader(io.StringIO(reply.data.decode(), newline="")))
    model = HistGradientBoostingClassifier(max_iter=40, max_depth=50, early_stopping=False, random_state=3)
    model.fit(np.column_stack([table[name] for name in XS]), table["class"])
    x = np.column_stack([new[name] for name in XS])
    assert [row["prediction"] for row in rows] == model.predict(x).tolist()
    said = [[float(row[f"probability:class {number}"]) for number in range(3)] for row in rows]
    np.testing.assert_allclose(said, model.predict_proba(x), rtol=1e-9)
    # the model itself is what NumPy opens
    path = f"{url}/api/v1/jobs/{trained['job']}/artefacts/{trained['model_artefact']}/"
    arrays = np.load(io.BytesIO(pool.request("GET", path, headers=headers).data), allow_pickle=False)
    assert len(arrays["roots"]) == 40 * 3
    assert_whole()


def test_a_training_that_is_cancelled_ends_at_once_and_leaves_nothing(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    person = api(make_member(org, Role.OPERATOR))
    assert person.get("/api/v1/jobs/").status_code == 200
    job = long_training(org)
    patiently(lambda: moving(job))
    assert below(worker)

    began = time.monotonic()
    reply = person.post(f"/api/v1/jobs/{job.pk}/cancellation/")
    assert reply.status_code in (200, 202), reply.content
    patiently(lambda: over(job), every_seconds=0.02)
    took = time.monotonic() - began

    figure("ml training cancelled, until its end is recorded", seconds=round(took, 2))
    assert job.status == "cancelled"
    # other tests share the processors
    assert took < times(20, 2)
    patiently(lambda: below(worker) == [])
    assert not Artefact.objects.filter(job_id=job.pk).exists()
    assert_whole()


def test_a_training_that_is_out_of_time_ends_and_leaves_nothing(fleet: Fleet, org: Org) -> None:
    (worker,) = fleet.workers(1)
    job = long_training(org, timeout_seconds=6)
    patiently(lambda: over(job))

    assert (job.status, job.error_type) == ("failed", "Timeout")
    patiently(lambda: below(worker) == [])
    assert worker.running


def test_a_worker_without_scikit_learn_serves_the_others(fleet: Fleet, org: Org, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['sklearn'] = None\n")
    without = {"PYTHONPATH": str(tmp_path)}
    payload = {"task": "train", "data": {"rows": [{"x": 1, "y": 1.5}, {"x": 2, "y": 2.5}] * 5}, "target": "y"}
    waiting = make_job(org, type="ml", payload=payload)
    (worker,) = fleet.workers(1, **without)
    shell = make_job(org, type="python", payload={"task": "tests.receipt", "kwargs": {}})
    patiently(lambda: over(shell))
    waiting.refresh_from_db()
    assert waiting.status == "queued"
    assert "ml jobs need scikit-learn" in worker.text

    alone = fleet.start([sys.executable, "manage.py", "runworker", "--types", "ml"], **without)
    assert alone.ended() == 1
    assert "pip install -r requirements-ml.txt" in alone.text
    fleet.workers(1, "--types", "ml")
    patiently(lambda: over(waiting))
    assert waiting.status == "done"
