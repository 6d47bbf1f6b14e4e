"""A slice of a trace through real workers goes as the simulation says."""

import json
import os
import random
from contextlib import nullcontext, suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.models import Attempt, Job, Queue, QueueShare, Transition
from orgs.models import Org
from tests.jobs.simulation.traces import write
from tests.processes import database_url
from tests.proofs import VARIABLE

JOBS = 200


@pytest.mark.django_db(transaction=True)
def test_order_and_waits_agree_with_the_simulation_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three kinds, known by their names after the first runs, in bursts."""
    monkeypatch.setenv("DATABASE_URL", database_url())
    chance, at, lines = random.Random(5), 0.0, []
    for number in range(JOBS):
        at += chance.expovariate(1.0) if number % 40 else 60.0
        kind = chance.choice([1, 4, 16])
        lines.append(f"{at:.3f},{kind * chance.uniform(0.9, 1.1):.3f},t,kind-{kind},,")
    out = StringIO()

    # How near the two come is asserted among the proofs: a busy machine makes jobs wait longer.
    with nullcontext() if os.environ.get(VARIABLE) else suppress(CommandError):
        call_command(
            "simulate",
            str(write(tmp_path, *lines)),
            "--live",
            "--slice",
            str(JOBS),
            "--median-run",
            "0.4",
            "--json",
            stdout=out,
        )

    figures = json.loads(out.getvalue())
    assert figures["jobs"] == JOBS
    assert figures["spearman"] > 0.9
    assert figures["start_median_error_s"] > 0.0
    assert 0.0 < figures["start_within_range"] <= 1.0
    assert not Org.objects.filter(slug__startswith="simulation-").exists()
    left = (Job, Attempt, Transition, Queue, QueueShare)
    assert [model.__name__ for model in left if model.objects.exists()] == []
