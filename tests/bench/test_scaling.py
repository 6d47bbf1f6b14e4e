"""The simulation of many hosts, held to what queueing theory and arithmetic say."""

import pytest

from bench import results, scaling
from bench.scaling import Costs

COST = Costs(web=0.004, submit=0.001, drain=1e-9, worker=1e-5)


def test_a_single_core_waits_as_an_m_m_1_queue_does() -> None:
    """Mean time in the system 1 / (mu - lambda), of two queues in a row (Burke): 1/(250-100) + 1/(1000-100) s."""
    found = scaling.waits(100, 1, 1, COST, jobs=200_000)

    assert sum(found) / len(found) == pytest.approx(1 / 150 + 1 / 900, rel=0.1)


def test_below_the_bound_waits_are_short_whoever_bounds() -> None:
    for hosts, cores in ((1, 2), (2, 2), (8, 2), (8, 8)):
        rate = scaling.LOAD * scaling.bound(hosts, cores, COST)
        assert max(scaling.waits(rate, hosts * scaling.HOST_CORES, cores, COST)) < 0.5


def test_costs_are_read_from_the_measures() -> None:
    report = results.read("smartqueue")
    assert report
    cost = scaling.costs(report)

    assert cost.web > cost.submit > cost.drain > cost.worker > 0
    assert 1e6 * (cost.worker + cost.drain) == pytest.approx(report["profile"]["figures"]["wall_us_per_job"])


def test_one_organisation_fills_one_cell_only() -> None:
    assert [row["times_by_size"] for row in scaling.of_cells([1, 4], organisations=1)] == [1, 1]
    (one,) = scaling.of_cells([1])
    assert (one["times_at_random"], one["times_by_size"]) == (1, 1)
