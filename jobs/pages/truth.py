"""What was said of a job when it was submitted, and what came: its start, its run and its end."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.models import Job
from jobs.pages.history import Try


@dataclass(frozen=True, slots=True)
class Truth:
    """A moment that was expected, with its range, and when it came; None: not yet. Early is below 0 `late_seconds`."""

    name: str
    expected: datetime
    low: datetime
    high: datetime
    came: datetime | None

    @property
    def late_seconds(self) -> float | None:
        return (self.came - self.expected) / timedelta(seconds=1) if self.came else None

    @property
    def within(self) -> bool:
        """A second either way is none, as where the ranges are measured."""
        slack = timedelta(seconds=1)
        return self.came is not None and self.low - slack <= self.came <= self.high + slack


def truths(job: Job, first_start: datetime | None) -> list[Truth]:
    """Of the first start, and of the end of a job that needed no second try; none where nothing was expected."""
    expected = job.expected
    if expected is None or first_start is None:
        return []
    ended = job.finished_at if job.attempt == 1 and job.life == 1 else None
    return [
        Truth("start", expected.starts_at, expected.starts_low_at, expected.starts_high_at, first_start),
        Truth("end", expected.ends_at, expected.ends_low_at, expected.ends_high_at, ended),
    ]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running job says it is, and what is left: by how fast it went, and by the prediction."""

    share: float
    message: str
    left_by_rate_seconds: float | None
    left_by_prediction_seconds: float


def progress(tries: list[Try], share: float | None, message: str) -> Progress | None:
    """Of the try that is under way; None where it says nothing."""
    running = next((one for one in tries if one.outcome == "running"), None)
    if running is None or share is None:
        return None
    passed = running.runtime_ms / 1000
    by_rate = passed * (1 - share) / share if share > 0 else None
    return Progress(share, message, by_rate, max(running.predicted_ms / 1000 - passed, 0.0))
