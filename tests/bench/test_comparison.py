"""docs/comparison.md says of speed what bench/results/peers.json has."""

import json

import pytest

from tests.process import ROOT

TEXT = " ".join((ROOT / "docs" / "comparison.md").read_text(encoding="utf-8").split())
PEERS = json.loads((ROOT / "bench" / "results" / "peers.json").read_text(encoding="utf-8"))["peers"]
OURS = PEERS["smartqueue"]


def times(name: str, figure: str) -> float:
    """How many times ours the other's is."""
    return float(PEERS[name][figure] / OURS[figure])


@pytest.mark.parametrize(
    "words",
    [
        f"huey took {times('huey', 'enqueue_single'):.1f} times as many single calls as SmartQueue",
        f"Dramatiq {times('dramatiq', 'enqueue_single'):.1f} times",
        f"Celery {times('celery', 'enqueue_single'):.1f}.",
        f"({times('pgqueuer', 'enqueue_single'):.1f} times single, ",
        f" single, {times('pgqueuer', 'enqueue_bulk'):.1f} times in bulk)",
        f"drained {OURS['drain_1']:,.0f} no-op jobs a second",
        f"{1 / times('procrastinate', 'drain_1'):.0f} times Procrastinate",
        f"{1 / times('django_tasks_db', 'drain_1'):.0f} times Django Tasks' database backend",
        f"{1 / times('celery', 'drain_1'):.0f} times Celery",
        f"{1 / times('huey', 'drain_1'):.1f} times huey",
        f"An idle worker takes {OURS['worker_megabytes']:.0f} MB",
    ],
)
def test_its_figures_are_measured(words: str) -> None:
    assert words in TEXT
