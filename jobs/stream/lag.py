"""How far receivers of the stream are behind, for metrics and alerts."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from jobs.queue import sql

# Beyond so many, how many there are about is said by their numbers: a scrape must not read a day's moves.
COUNTED = 10_000


class Lag(NamedTuple):
    sink: str
    # Moves it was not told of.
    events: int
    # Age of the first of them; 0 where there is none.
    seconds: float


def lags() -> list[Lag]:
    """Of each receiver that was ever told something, whether or not a process sends to it now."""
    return [Lag(row.name, row.events, row.seconds) for row in sql.run("stream_lag", most=COUNTED)]


def lag_metrics() -> Iterable[Metric]:
    events = GaugeMetricFamily(
        "smartqueue_stream_lag_events",
        "Changes of jobs that a receiver of the stream was not told of.",
        labels=["sink"],
    )
    seconds = GaugeMetricFamily("smartqueue_stream_lag_seconds", "Age of the oldest of them.", labels=["sink"])
    for lag in lags():
        events.add_metric([lag.sink], lag.events)
        seconds.add_metric([lag.sink], lag.seconds)
    return [events, seconds]
