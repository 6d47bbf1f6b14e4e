"""Quantiles of bins: near the true ones, whatever was added to what."""

import math

from hypothesis import given
from hypothesis import strategies as st

from jobs.histograms import LEAST_MS, MOST_MS, RELATIVE_ERROR, Measure, bin_of, middle, of, quantile, total

TIMES = st.floats(LEAST_MS, MOST_MS)


def counted(values: list[float]) -> dict[int, int]:
    return total({bin_of(Measure.RUN, value): 1} for value in values)


@given(st.lists(TIMES, min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_the_stated_error(values: list[float], share: float) -> None:
    true = sorted(values)[math.ceil(share * len(values)) - 1]

    found = quantile(counted(values), Measure.RUN, share)

    assert found is not None
    assert abs(found - true) <= true * RELATIVE_ERROR * 1.000001


@given(st.lists(st.lists(TIMES, max_size=20), max_size=6))
def test_it_does_not_matter_how_the_parts_were_added(parts: list[list[float]]) -> None:
    assert total(counted(part) for part in parts) == counted([value for part in parts for value in part])


@given(st.floats(allow_nan=False), st.sampled_from(list(Measure)))
def test_every_value_has_a_bin_of_its_measure_that_fits_a_smallint(value: float, measure: Measure) -> None:
    one = bin_of(measure, value)

    assert one // 1000 == measure
    assert 0 <= one < 2**15
    assert of({one: 1}, measure) == {one: 1}
    assert math.isfinite(middle(one))


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, Measure.WAIT, 0.5) is None
    assert quantile({bin_of(Measure.RUN, 5): 3}, Measure.WAIT, 0.5) is None
