"""The figures of a simulation."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.simulation import report
from jobs.simulation.report import simulate, usual_workers
from jobs.simulation.trace import Trace, read
from tests.jobs.simulation.traces import some, trace


def test_waits_and_slowdown_of_a_trace_worked_out_by_hand() -> None:
    """One worker: waits of 0, 99 and 118 s; slowdowns of 1, (99 + 20) / 20 and (118 + 1) / 10."""
    made = trace((0, 100), (1, 20), (2, 1), tenants=["a", "b", "b"])

    found = report.measured(made, report.waits_of(made, [0, 100, 120]))

    assert found.mean_wait_s == pytest.approx((99 + 118) / 3)
    assert found.mean_slowdown == pytest.approx((1 + 5.95 + 11.9) / 3)
    assert found.max_wait_s == 118
    # over the means of the tenants, 1 and 8.925
    assert found.jain == pytest.approx((1 + 8.925) ** 2 / (2 * (1 + 8.925**2)))


def test_the_gap_is_measured_from_first_come_to_the_oracle() -> None:
    assert report.gap(40, 100, 20) == pytest.approx(0.75)
    assert report.gap(40, 20, 20) is None


@pytest.mark.parametrize(("load_of_one", "workers"), [(0.5, 4), (9.0, 10), (1000.0, 64)])
def test_as_many_workers_as_the_usual_load_needs_within_bounds(load_of_one: float, workers: int) -> None:
    assert usual_workers(trace((0, 50 * load_of_one), (100, 50 * load_of_one))) == workers


@pytest.mark.parametrize("policy", ["learned", "priority", "sjf", "oracle", "fifo"])
def test_a_policy_lies_between_first_come_and_the_oracle(tmp_path: Path, policy: str) -> None:
    made = read(some(tmp_path)).at_load(0.9, 1)

    found = simulate(made, workers=1, policy=policy)

    assert found.oracle.mean_wait_s <= found.order.mean_wait_s <= found.fifo.mean_wait_s * 1.001
    if policy == "learned":
        gap = found.figures()["gap_slowdown"]
        assert gap is not None
        assert gap > 0.5


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    made = read(some(tmp_path, 120))

    one, other = (simulate(made, workers=2, policy="learned", tenants="orgs", seed=7) for _ in range(2))

    assert one.order == other.order
    assert replace(one.accuracy, us_per_prediction=0) == replace(other.accuracy, us_per_prediction=0)


def test_a_trace_in_other_units_gives_the_same_order(tmp_path: Path) -> None:
    """Orders by what is known beforehand do not depend on the unit of time."""
    made = read(some(tmp_path, 120)).at_load(0.9, 1)
    rows = [row._replace(submit_s=row.submit_s * 60, runtime_s=row.runtime_s * 60) for row in made.rows]

    for policy in ("first", "oracle"):
        starts = report.starts_of(made, 1, policy, "one", 0)
        longer = report.starts_of(Trace(tuple(rows), 0.0), 1, policy, "one", 0)
        assert longer == pytest.approx([start * 60 for start in starts])
