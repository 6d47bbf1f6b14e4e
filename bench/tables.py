"""The figures as tables, for the terminal and for docs/performance.md alike; each page of figures says its machine."""

from collections.abc import Sequence
from typing import Any

RATES = {
    "enqueue, single calls": "enqueue_single",
    "enqueue, bulk": "enqueue_bulk",
    "drain, 1 process": "drain_1",
    "drain, 2 processes": "drain_2",
    "drain among other rows": "drain_crowded",
}
WAITS = {
    "idle": "idle_ms",
    "idle, from the call": "idle_from_call_ms",
    "steady stream": "paced_ms",
    "steady stream, from the call": "paced_from_call_ms",
}
OURS = "smartqueue"


def of_peers(report: dict[str, Any]) -> str:
    measured = {name: peer for name, peer in report["peers"].items() if "failed" not in peer}
    sizes = report["sizes"]
    parts = [
        machine(report),
        f"Jobs a second (in brackets: how many times that SmartQueue does). Medians of {sizes['times']:g}.",
        table(["", *RATES], [[name, *rates(name, measured)] for name in measured]),
        f"Milliseconds to the start of the handler, p50 / p95 / p99. Steady stream: {sizes['paced_rate']:g} jobs a"
        f" second for {sizes['paced_seconds']:g} s.",
        table(
            ["", *WAITS, "idle worker, MB"],
            [
                [name, *(waits(peer[key]) for key in WAITS.values()), f"{peer['worker_megabytes']:.0f}"]
                for name, peer in measured.items()
            ],
        ),
        "What each keeps, and what its worker was set to: the best of what was tried.",
        table(
            ["", "durability", "tuning", "tried", "best"],
            [
                [name, peer["durability"], peer["tuning"], ", ".join(peer["options"]), peer["best"]]
                for name, peer in measured.items()
            ],
        ),
        *(f"{name} FAILED: {peer['failed']}" for name, peer in report["peers"].items() if "failed" in peer),
        *overdue(measured),
    ]
    return "\n\n".join(parts)


def machine(report: dict[str, Any]) -> str:
    later = report.get("bare_commits_per_second_at_the_end")
    at_the_end = f" ({later:,} at the end)" if later else ""
    return (
        f"Measured {report['measured_at'][:10]}: {report['cores']} cores, Python {report['python']}, PostgreSQL"
        f" {report['postgresql']}, synchronous_commit={report['synchronous_commit']}; one connection commits"
        f" {report['bare_commits_per_second']:,} bare transactions a second{at_the_end}."
    )


def rates(name: str, measured: dict[str, Any]) -> list[str]:
    return [rate(measured[name].get(key), measured.get(OURS, {}).get(key), name == OURS) for key in RATES.values()]


def rate(theirs: float | None, ours: float | None, alone: bool) -> str:
    if theirs is None:
        return "-"
    return f"{theirs:,.0f}" if alone or not ours else f"{theirs:,.0f} (×{ours / theirs:.2f})"


def waits(peer: dict[str, float]) -> str:
    return f"{peer['p50']:.1f} / {peer['p95']:.1f} / {peer['p99']:.1f}"


def overdue(measured: dict[str, Any]) -> list[str]:
    late = {name: peer["paced_not_run"] for name, peer in measured.items() if peer["paced_not_run"]}
    return [f"Not run 30 s after the stream's end: {name} {jobs:,.0f} jobs." for name, jobs in late.items()]


def of_ours(report: dict[str, Any]) -> str:
    """A table a measure: what it is called in the file, in words, and its value."""
    parts = []
    for name, one in report.items():
        about = ", ".join(f"{size} {shown(value)}" for size, value in one["sizes"].items())
        figures = [line for key, value in one["figures"].items() for line in lines(key.replace("_", " "), value)]
        parts += [f"**{name}**: {one['about']}", f"{machine(one)} Sizes: {about}.", table(["", ""], figures)]
    return "\n\n".join(parts)


def of_pages(report: dict[str, Any]) -> str:
    """Each page: how long, and how many questions."""
    rows = [
        [name, f"{one['p50_ms']:,.0f}", f"{one['p95_ms']:,.0f}", str(one["queries"])]
        for name, one in report["pages"].items()
        if "p50_ms" in one
    ]
    for name, one in report["pages"].items():
        if "refused_after_ms" in one:
            rows.append([name, f"says after {one['refused_after_ms']:,} that it takes too long", "", ""])
    kept = {name: f"{size / 1e6:,.0f} MB" for name, size in report["table_bytes"].items()}
    return "\n\n".join(
        [
            f"{machine(report)} {report['jobs']:,} jobs, of the organisation that is looked at"
            f" {report['sizes']['share of the organisation']:.0%}; {report['about']}. {report.get('note', '')}",
            table(["", "p50, ms", "p95, ms", "statements"], rows),
            f"On disk with their indexes: {shown(kept)}.",
        ]
    )


def lines(name: str, value: Any) -> list[list[str]]:
    """A line of the table; of figures that are themselves named in words, a line each."""
    if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
        return [[f"{name}: {key}", each] for key, each in value.items()]
    return [[name, shown(value)]]


def shown(value: Any) -> str:
    match value:
        case bool() | None | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:,.2f}"
        case list():
            return ", ".join(map(shown, value))
        case dict():
            return ", ".join(f"{key} {shown(each)}" for key, each in value.items())
    return str(value)


def of_stream(report: dict[str, Any]) -> str:
    """Of each receiver of the event stream, what it was told over its outages."""
    names = ("events", "outages", "kills", "lost", "out_of_order", "repeated", "seconds")
    rows = [[sink, *(shown(found[name]) for name in names)] for sink, found in report["figures"].items()]
    words = [name.replace("_", " ") for name in names]
    about = str(report["about"])
    for name, size in report["sizes"].items():
        about = about.replace(name, shown(size))
    return f"{report['measured_at'][:10]}, {report['cores']} cores: {about}.\n\n" + table(["", *words], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown that also reads well as it is."""
    cells = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([text[0], rule, *text[1:]])
