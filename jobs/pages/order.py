"""The rank of a job that waits, in the parts that it is made of: they add up to the number that puts it in order."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from jobs import ranking
from jobs.models import Job
from jobs.queue.shares import FIFO, Share
from jobs.ranking import USUAL_URGENCY
from jobs.templatetags.dashboard import span

# Of a bar, on each side of its middle.
HALF = 50.0
# What moves a job by less than this decides nothing.
NOTHING_SECONDS = 0.0005


@dataclass(frozen=True, slots=True)
class Part:
    """`seconds` later, or sooner where negative; the bar is drawn to the scale of the greatest."""

    name: str
    label: str
    about: str
    seconds: float
    left: float = HALF
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """rank = `queued_at` in seconds since the epoch + the seconds of all parts."""

    queued_at: datetime
    parts: list[Part]
    rank: float
    offset_seconds: float
    decides: str


def order_of(job: Job, share: Share) -> Order | None:
    """None for a job that was not queued yet. The stored numbers are its place: only how the stretch came about is told
    by what is known now of what is usual."""
    if job.queued_at is None:
        return None
    lead = job.rank_offset / job.stretch
    plain = stretch_by_length(job, share)
    parts = [
        Part("behind", _("The queue is behind"), about_behind(job), job.share_offset),
        Part("share", _("Its organisation's share"), about_share(job), lead),
        Part("length", _("Predicted time"), about_length(job, share, plain), lead * (plain - 1)),
        Part("urgency", _("Urgency"), about_urgency(job), job.rank_offset - lead * plain),
    ]
    offset = sum(part.seconds for part in parts)
    return Order(job.queued_at, drawn(parts), job.queued_at.timestamp() + offset, offset, decides(parts))


def stretch_by_length(job: Job, share: Share) -> float:
    """What the stretch would be without the urgency."""
    if job.urgency == USUAL_URGENCY or share.policy == FIFO:
        return job.stretch
    return ranking.stretch(share.policy, job.predicted_ms, USUAL_URGENCY, share.tuning)


def drawn(parts: list[Part]) -> list[Part]:
    greatest = max(abs(part.seconds) for part in parts) or 1.0
    found = []
    for part in parts:
        width = HALF * abs(part.seconds) / greatest
        left = HALF - width if part.seconds < 0 else HALF
        found.append(Part(part.name, part.label, part.about, part.seconds, round(left, 2), round(width, 2)))
    return found


def about_behind(job: Job) -> str:
    if not job.share_offset:
        return _("It was not when the job was queued.")
    return _("Others had jobs waiting there since %(span)s: this one is not put behind what came meanwhile.") % {
        "span": span(-job.share_offset)
    }


def about_share(job: Job) -> str:
    return _("What %(org)s had put in before takes its share of the workers so long.") % {"org": job.org.name}


def about_length(job: Job, share: Share, plain: float) -> str:
    if share.policy == FIFO:
        return _("The queue goes by the order of arrival.")
    if share.policy == "priority":
        return _("Priority %(priority)s makes the wait %(times)s times as long.") % {
            "priority": f"{job.priority:.3f}",
            "times": f"{plain:.2f}",
        }
    return _("%(span)s, where %(usual)s is usual, makes the wait %(times)s times as long.") % {
        "span": span(job.predicted_ms / 1000),
        "usual": span(share.tuning.typical_ms / 1000),
        "times": f"{plain:.2f}",
    }


def about_urgency(job: Job) -> str:
    if job.urgency == USUAL_URGENCY:
        return _("Medium: it makes no difference.")
    factor = ranking.URGENCY_FACTOR[job.urgency]
    return _("%(urgency)s: it counts as a job %(times)s times as long.") % {
        "urgency": job.urgency.capitalize(),
        "times": f"{factor:g}",
    }


def decides(parts: list[Part]) -> str:
    """One sentence: what moves it most."""
    first = max(parts, key=lambda part: abs(part.seconds))
    if abs(first.seconds) < NOTHING_SECONDS:
        return _("Nothing moves it: it goes by the time at which it was queued.")
    sentences = {
        "behind": _("What decides most is that the queue was behind: it comes in %(span)s sooner."),
        "share": _("What decides most is the work its organisation had waiting before it: %(span)s."),
        "length": _("What decides most is how long it is predicted to run: %(span)s sooner.")
        if first.seconds < 0
        else _("What decides most is how long it is predicted to run: %(span)s later."),
        "urgency": _("What decides most is its urgency: %(span)s sooner.")
        if first.seconds < 0
        else _("What decides most is its urgency: %(span)s later."),
    }
    return sentences[first.name] % {"span": span(abs(first.seconds))}
