"""Reports for people."""

from jobs.simulation.live import Agreement
from jobs.simulation.report import Order, Report


def table(report: Report) -> str:
    """The policy's figures beside those of first come, first served and of the oracle."""
    figures, accuracy = report.figures(), report.accuracy
    lines = [
        f"{report.jobs} jobs, {report.workers} workers, offered load {report.load:.2f}, policy {report.policy}",
        "",
        f"{'':14}{'mean wait s':>14}{'slowdown':>11}{'p99 wait s':>13}{'max wait s':>13}{'Jain':>7}",
        line("fifo", report.fifo),
        line(report.policy, report.order),
        line("oracle", report.oracle),
        "",
        f"of the way from fifo to the oracle: waits {part(figures['gap_wait'])}, "
        f"slowdown {part(figures['gap_slowdown'])}",
        f"predictions: median error {accuracy.mdape:.0%}, mean |log2 ratio| {accuracy.malr:.2f}, within twofold "
        f"{accuracy.within_2x:.0%}, Spearman {accuracy.spearman:.2f}, within p10 to p90 "
        f"{accuracy.p10_p90_coverage:.0%}, {accuracy.us_per_prediction:.0f} µs each",
    ]
    return "\n".join(lines)


def line(name: str, order: Order) -> str:
    return (
        f"{name:14}{order.mean_wait_s:14,.1f}{order.mean_slowdown:11,.2f}{order.p99_wait_s:13,.1f}"
        f"{order.max_wait_s:13,.1f}{order.jain:7.2f}"
    )


def part(gap: float | int | None) -> str:
    return "none to close" if gap is None else f"{gap:.0%} closed"


def tenants_table(report: Report) -> str:
    """Each tenant, those with the most jobs first."""
    busiest = sorted(report.tenants.items(), key=lambda each: -each[1][0])
    heading = f"\n{'tenant':24}{'jobs':>9}{'mean wait s':>14}{'slowdown':>11}"
    return "\n".join(
        [heading, *(f"{name:24}{jobs:9}{wait:14,.1f}{slow:11,.2f}" for name, (jobs, wait, slow) in busiest)]
    )


def live_table(agreement: Agreement) -> str:
    """What the live run gave beside what the simulation said."""
    return "\n".join(
        f"{name:24}{'-' if value is None else f'{value:.3f}':>14}" for name, value in agreement.figures().items()
    )
