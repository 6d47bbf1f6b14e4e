"""How near predictions come over time: their error, and what falls into their range."""

from django.utils.translation import gettext as _

from analytics.flow_charts import axis
from analytics.pictures import Line, Picture
from jobs.histograms import total
from jobs.sums import OverTime, Sums
from jobs.templatetags.dashboard import percent

# What the range from p10 to p90 is to hold.
WANTED_COVERAGE = 0.8


def error_line(found: OverTime, *, promised: float | None = None) -> Picture:
    """Median, p90 and mean |log2(predicted / actual)| as factors; `promised`: that mean of a model's held-out runs."""
    half, most = ([off_by(one.sums.error(share)) for one in found.intervals] for share in (0.5, 0.9))
    mean = [off_by(one.sums.log2_error / one.sums.judged) if one.sums.judged else None for one in found.intervals]
    lines = [
        Line(_("half off by"), "running", half),
        Line(_("nine in ten"), "queued", most),
        Line(_("mean"), "scheduled", mean),
    ]
    if promised is not None:
        same = [2**promised] * len(found.intervals)
        lines.append(Line(_("when the one in use was measured"), "muted", same, dashed=True))
    drawn = any(value is not None for value in half)
    return Picture(
        "error", _("Prediction error"), error_said(found, promised), "lines", "factor", lines=lines if drawn else [],
        log=True, **axis(found),
    )  # fmt: skip


def error_said(found: OverTime, promised: float | None) -> str:
    whole = Sums(bins=total(one.sums.bins for one in found.intervals))
    runs = sum(one.sums.judged for one in found.intervals)
    if whole.median_error is None or not runs:
        return _("Nothing that was predicted has come to an end in this time.")
    said = _("Half of %(runs)s runs were off by no more than a factor of %(half)s, nine in ten by %(most)s, and all by"
             " %(mean)s on average; the mean error is %(mape)s of the run time") % {
        "runs": f"{runs:,}", "half": f"{2**whole.median_error:.1f}", "most": f"{2 ** (whole.error(0.9) or 0):.1f}",
        "mean": f"{2 ** (sum(one.sums.log2_error for one in found.intervals) / runs):.1f}",
        "mape": percent(sum(one.sums.relative_error for one in found.intervals) / runs),
    }  # fmt: skip
    if promised is not None:
        said += "; " + _("the model in use was by %(factor)s on the runs it was measured with") % {
            "factor": f"{2**promised:.1f}"
        }
    return f"{said}."


def off_by(doublings: float | None) -> float | None:
    return None if doublings is None else float(2**doublings)


def coverage_line(found: OverTime) -> Picture:
    """Share of the runs that took between p10 and p90, by interval, beside the share that should."""
    shares = [one.sums.coverage for one in found.intervals]
    ranged, in_range = (sum(getattr(one.sums, name) for one in found.intervals) for name in ("ranged", "in_range"))
    said = _("%(share)s of the runs took between p10 and p90; %(wanted)s should.") % {
        "share": f"{in_range / ranged:.0%}", "wanted": f"{WANTED_COVERAGE:.0%}",
    } if ranged else _("No run that was predicted with a range has come to an end in this time.")  # fmt: skip
    lines = [
        Line(_("between p10 and p90"), "running", shares),
        Line(_("as it should be"), "muted", [WANTED_COVERAGE] * len(shares), dashed=True),
    ]
    return Picture(
        "calibration", _("Calibration"), said, "lines", "percent", lines=lines if ranged else [], **axis(found)
    )
