"""When a schedule is due next, as people read it: in its zone and in UTC, and whether the clocks change meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from jobs.cron import Cron

RUNS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One time that it is due."""

    at: datetime
    # In the zone of the schedule, as its wall clocks have it.
    local: str
    # Of that zone at that time, as +02:00.
    offset: str


@dataclass(frozen=True, slots=True)
class ClockChange:
    """Between now and the last of the runs the clocks of the zone are moved; `run` is the first after it."""

    run: Run
    forward: bool
    hours: float


@dataclass(frozen=True, slots=True)
class Upcoming:
    words: str
    zone: str
    runs: Sequence[Run]
    change: ClockChange | None


def upcoming(cron: Cron, now: datetime, first: datetime | None = None) -> Upcoming:
    """The next times after now, or from `first` on, which is known to be one."""
    times = list(islice(cron.after(now), RUNS)) if first is None else [first, *islice(cron.after(first), RUNS - 1)]
    local = [at.astimezone(cron.zone) for at in times]
    runs = [run_of(at) for at in local]
    before = now.astimezone(cron.zone).utcoffset() or timedelta(0)
    change = None
    for at, run in zip(local, runs, strict=True):
        moved = (at.utcoffset() or timedelta(0)) - before
        if moved:
            change = ClockChange(run, moved > timedelta(0), abs(moved) / timedelta(hours=1))
            break
    return Upcoming(cron.words, cron.zone.key, runs, change)


def run_of(local: datetime) -> Run:
    return Run(local, local.strftime("%a %d %b %Y, %H:%M"), offset_of(local))


def offset_of(local: datetime) -> str:
    text = local.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"
