"""How a number becomes a metric: names begin with smartqueue_, units are in them."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

PREFIX = "smartqueue_"


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, meaning, value=value)


def gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, meaning, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def counter(name: str, meaning: str, value: float | None) -> Metric:
    """`name` without its _total."""
    return CounterMetricFamily(PREFIX + name, meaning, value=value or 0)


def counters(name: str, meaning: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = CounterMetricFamily(PREFIX + name, meaning, labels=labels)
    for words, value in values:
        family.add_metric(words, value)
    return family


def histograms(
    name: str,
    meaning: str,
    labels: Sequence[str],
    values: Iterable[tuple[Sequence[str], Sequence[tuple[str, float]], float]],
) -> Metric:
    """Of each: its labels, (bound, how many are not beyond it) up to +Inf, and the sum."""
    family = HistogramMetricFamily(PREFIX + name, meaning, labels=labels)
    for words, buckets, total in values:
        family.add_metric(words, buckets, total)
    return family
