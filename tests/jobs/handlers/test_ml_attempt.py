"""Attempts at ml jobs, shut in as in a worker: where their tables come from, and what hostile ones come to."""

import io
import json
import pickle
import time
import zipfile
from typing import Any

import numpy as np
import pytest
from pytest_django.fixtures import Settings

from jobs.files import store
from jobs.models import Artefact, Job
from jobs.queue.finish import Ended
from jobs.states import Outcome
from orgs.models import Org
from tests.conftest import World
from tests.factories import api, claim_all, make_org
from tests.jobs.handlers.fakes import make_attempt
from tests.jobs.handlers.ml_tools import as_csv, from_csv, mixed_table, plain_table
from tests.jobs.handlers.server import Server
from tests.proofs import figure, times

pytestmark = pytest.mark.django_db


def sent(org: Org, name: str, data: bytes) -> str:
    """A file that a person of the organisation has sent."""
    stored = store(org.pk, io.BytesIO(data), max_bytes=500_000_000)
    return str(
        Artefact.objects.create(
            org=org,
            name=name,
            content_type="application/octet-stream",
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            file=stored.name,
        ).pk
    )


def ended(world: World, payload: dict[str, Any], **fields: Any) -> Ended:
    """Submitted over REST, then run."""
    response = api(world.operator).post("/api/v1/jobs/", {"type": "ml", "payload": payload, **fields})
    assert response.status_code == 201, response.content
    (claimed,) = claim_all()
    return make_attempt(claimed).run()


def kept(artefact_id: str) -> bytes:
    with Artefact.objects.get(pk=artefact_id).file.open("rb") as file:
        return bytes(file.read())


def test_a_table_from_the_web_makes_a_model_and_that_predictions(world: World, server: Server) -> None:
    server.on("/table", body=as_csv(mixed_table()).decode(), headers={"Content-Type": "text/csv"})
    payload = {"task": "train", "data": {"url": server.url + "/table"}, "target": "bought", "model": "random_forest"}

    trained = ended(world, payload)

    assert trained.outcome is Outcome.DONE, trained.error
    assert trained.result["test"]["accuracy"] > 0.8
    asked = {"model_artefact": trained.result["model_artefact"], "data": {"url": server.url + "/table"}}
    evaluated = ended(world, {"task": "evaluate", **asked})
    assert evaluated.result["metrics"]["accuracy"] > 0.9
    predicted = ended(world, {"task": "predict", **asked, "output": {"name": "out.csv", "keep": ["bought"]}})
    artefact = Artefact.objects.get(pk=predicted.result["predictions_artefact"])
    assert (artefact.name, artefact.content_type) == ("out.csv", "text/csv; charset=utf-8")
    rows = from_csv(kept(str(artefact.pk)))
    right = sum(row["bought"] == row["prediction"] for row in rows)
    assert right / len(rows) == pytest.approx(evaluated.result["metrics"]["accuracy"])


def test_the_same_seed_makes_the_same_artefact(world: World) -> None:
    table = sent(world.org, "t.csv", as_csv(plain_table(150)))
    payload = {"task": "train", "data": {"artefact": table}, "target": "amount", "seed": 5, "test_share": 0}
    one, two, other = (
        kept(ended(world, {**payload, "model": "random_forest", "seed": seed}).result["model_artefact"])
        for seed in (5, 5, 6)
    )
    assert one == two
    assert one != other


@pytest.mark.parametrize("model", [False, True])
def test_files_of_another_organisation_are_not_there(world: World, model: bool) -> None:
    theirs = sent(make_org("others"), "t.csv", as_csv(plain_table()))
    payload: dict[str, Any] = {"task": "train", "data": {"artefact": theirs}, "target": "class"}
    if model:
        payload = {"task": "predict", "data": {"rows": [{"x": 1}]}, "model_artefact": theirs}
    end = ended(world, payload)
    assert (end.error_type, end.permanent) == ("PermanentFailure", True)
    assert "has no artefact" in end.error


def test_a_redirect_leads_nowhere_that_is_not_public(world: World, server: Server, settings: Settings) -> None:
    server.on("/table", 302, headers={"Location": f"http://127.0.0.1:{server.authority.rpartition(':')[2]}/secret"})
    server.on("/secret", body="x,y\n1,2\n")
    settings.HTTP_ALLOW_HOSTS = [f"localhost:{server.authority.rpartition(':')[2]}"]
    url = f"http://localhost:{server.authority.rpartition(':')[2]}/table"
    end = ended(world, {"task": "train", "data": {"url": url}, "target": "y"})
    assert end.permanent, end
    assert "not public" in end.error
    assert [one.path for one in server.asked] == ["/table"]


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.json", bytes(400_000_000))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (pickle.dumps(Server), "BadModel"),
        (b"", "BadModel"),
        (bomb(), "BadModel"),
        (bytes(3_000_000), "TooLarge"),
    ],
    ids=["a pickle", "nothing", "a bomb", "too large"],
)
def test_a_hostile_model_fails_for_good(data: bytes, kind: str, world: World, settings: Settings) -> None:
    settings.ML_MODEL_MAX_BYTES = 2_000_000
    model = sent(world.org, "model.zip", data)
    end = ended(world, {"task": "predict", "data": {"rows": [{"x": 1}]}, "model_artefact": model})
    assert (end.outcome, end.error_type, end.permanent) == (Outcome.ERROR, kind, True), end.error


def test_a_table_that_takes_more_memory_than_there_is_fails_for_good(world: World, settings: Settings) -> None:
    settings.CHILD_MEMORY_MAX_BYTES = 60_000_000
    rows = json.dumps([{f"c{number}": number for number in range(50)}] * 20_000).encode()
    table = sent(world.org, "t.json", rows)
    end = ended(world, {"task": "train", "data": {"artefact": table}, "target": "c1"})
    assert (end.error_type, end.permanent) == ("OutOfMemory", True)


# the server ends a transaction that is idle for as long as this may take
@pytest.mark.django_db(transaction=True)
def test_a_large_table_trains_within_the_memory_of_an_attempt(world: World, settings: Settings) -> None:
    settings.CHILD_MEMORY_MAX_BYTES, rows = 1_000_000_000, times(5_000, 200_000)
    x = np.random.default_rng(1).normal(size=(rows, 30)).round(6)
    columns = {f"x{number}": x[:, number].tolist() for number in range(30)}
    table = sent(world.org, "t.csv", as_csv({**columns, "y": (x[:, 0] + x[:, 1] * x[:, 2] > 0).tolist()}))
    began = time.monotonic()

    end = ended(world, {"task": "train", "data": {"artefact": table}, "target": "y"}, timeout_seconds=3_000)

    assert end.outcome is Outcome.DONE, end.error
    assert end.result["test"]["accuracy"] > 0.9
    figure("ml: gradient boosting within 1 GB", rows=rows, columns=30, seconds=round(time.monotonic() - began, 1))


def test_an_attempt_leaves_nothing_but_its_artefacts(world: World, settings: Settings, tmp_path: Any) -> None:
    settings.WORK_ROOT = str(tmp_path / "work")
    table = sent(world.org, "t.csv", as_csv(plain_table(60)))
    end = ended(
        world, {"task": "train", "data": {"artefact": table}, "target": "class", "output": {"name": "mine.zip"}}
    )
    assert end.outcome is Outcome.DONE
    assert [artefact.name for artefact in Artefact.objects.filter(job_id=Job.objects.get().pk)] == ["mine.zip"]
    assert list((tmp_path / "work").iterdir()) == []
