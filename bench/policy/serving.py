"""What an estimate costs a submit: python -m bench.policy.serving.

Everything between the question and the answer: the look-up of what is remembered (cached, and not), the features, the
thread of the deadline and the network. No answer is one that was kept: each job has a size of its own.
"""

import json
import os
from datetime import UTC, datetime
from itertools import count
from random import Random
from statistics import median
from typing import Any

import django

from bench import cluster, results
from bench.policy.accuracy import least
from predictor.examples import LogRow, Memories, examples_from_log, seconds
from predictor.train import train
from predictor.weights import dump

NAME = "policy-serving"
KINDS, RUNS = 1_000, 20_000
SINGLES, BATCH, ROUNDS = 300, 1_000, 20
GOALS_US = {"single_us": 300.0, "batch_us_each": 15.0}


def main() -> None:
    with cluster.running():
        django.setup()
        report = measure()
    results.write(NAME, report)
    print(json.dumps(report, indent=2))


def measure() -> dict[str, Any]:
    """Microseconds a job: the median of singles, the least of the batches."""
    # not before Django is set up
    from django.conf import settings
    from django.core.management import call_command

    from jobs import estimates

    call_command("migrate", verbosity=0)
    settings.PREDICT_SECONDS, settings.HISTORY_FRESH_SECONDS = 30.0, 3_600.0
    asker = Asker()
    figures = {
        "single_us": asker.single(),
        "batch_us_each": asker.batch([0] * BATCH),
        "batch_of_a_thousand_kinds_us_each": asker.batch(list(range(BATCH))),
    }
    settings.HISTORY_FRESH_SECONDS = 0.0
    estimates.forget()
    figures |= {
        "single_not_cached_us": asker.single(),
        "batch_of_a_thousand_kinds_not_cached_us_each": asker.batch(list(range(BATCH))),
    }
    rounded = {name: round(taken * 1e6, 1) for name, taken in figures.items()}
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        **rounded,
        "goals_met": {name: rounded[name] <= most for name, most in GOALS_US.items()},
    }


class Asker:
    """An organisation with a model and memories of a thousand kinds, and questions about them."""

    def __init__(self) -> None:
        from jobs.memories import as_rows, person
        from jobs.models import ModelVersion, RuntimeMemory
        from orgs.models import Org, User

        self.org = Org.objects.create(slug="bench", name="Bench")
        self.user = User.objects.create(username="bench")
        self.sizes = count(1)
        log, memories = past(person(self.user)), Memories()
        for row in log:
            assert row.ended_at is not None
            assert row.runtime_ms is not None
            memories.add(
                row.user, row.type, row.name,
                runtime_ms=row.runtime_ms, ended=seconds(row.ended_at), failed=row.failed,
            )  # fmt: skip
        RuntimeMemory.objects.bulk_create(as_rows(self.org, memories))
        weights = dump(train(examples_from_log(log), max_seconds=10.0).model)
        ModelVersion.objects.create(org=self.org, version=1, weights=weights, samples=RUNS, active=True)

    def ask(self, kinds: list[int]) -> None:
        from jobs.estimates import Asked, estimate_many

        asked = [Asked("python", f"kind {kind}", next(self.sizes)) for kind in kinds]
        if {one.source for one in estimate_many(self.org, asked, user=self.user)} != {"model"}:
            raise AssertionError("not every answer was the model's")

    def single(self) -> float:
        return median(least(lambda: self.ask([0]), 3) for _ in range(SINGLES))

    def batch(self, kinds: list[int]) -> float:
        return least(lambda: self.ask(kinds), ROUNDS) / len(kinds)


def past(user: str) -> list[LogRow]:
    """Runs of all kinds, one every ten seconds."""
    random = Random(1)
    rows = []
    for number in range(RUNS):
        at, kind = 1.7e9 + 10.0 * number, number % KINDS
        ms = random.lognormvariate(7 + kind % 7, 0.5)
        rows.append(
            LogRow(at, at + ms / 1_000, "python", f"kind {kind}", user, random.randrange(10_000), ms, kind == 1)
        )
    return rows


if __name__ == "__main__":
    main()
