"""How jobs of one kind, a type and a name, have run of late: from what is remembered of them, and the sums of a day."""

from dataclasses import dataclass
from statistics import median

from jobs.memories import places, recall
from jobs.models import Job
from jobs.sums import KindHistory, history_of

# Of a sparkline, in units of its own.
HEIGHT, STEP, BAR = 28.0, 7.0, 5.0
LEAST = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A run, the newest last."""

    x: float
    y: float
    height: float
    runtime_ms: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Kind:
    runs: int
    success: float
    p50_ms: float | None
    bars: list[Bar]
    width: float
    day: KindHistory


def kind_of(job: Job) -> Kind | None:
    """None where no job of the kind has run."""
    place = places(None, job.type, job.name)[1]
    memory = recall(job.org, [place]).get(place)
    if memory is None or not memory.runs:
        return None
    took = [run.runtime_ms for run in memory.recent]
    longest = max(took, default=0.0) or 1.0
    bars = []
    for number, run in enumerate(memory.recent):
        height = max(HEIGHT * run.runtime_ms / longest, LEAST)
        bars.append(Bar(number * STEP, round(HEIGHT - height, 2), round(height, 2), run.runtime_ms, run.failed))
    return Kind(
        runs=memory.runs,
        success=1 - memory.failures / memory.runs,
        p50_ms=median(took) if took else None,
        bars=bars,
        width=max(len(bars) * STEP, STEP),
        day=history_of(job.org, job.type, job.name),
    )
