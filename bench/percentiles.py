"""The middle and the tail."""

import statistics
from collections.abc import Sequence


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99; of a single value, that."""
    if not values:
        raise AssertionError("nothing was measured")
    cuts = statistics.quantiles([*values, *values], n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}
