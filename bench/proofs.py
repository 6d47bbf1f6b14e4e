"""The figures of docs/reliability.md: deployments under faults (make chaos), and each fault alone (make proofs)."""

from collections.abc import Mapping
from typing import Any

from bench import results
from bench.tables import shown, table

SEEDS = (1, 2, 3)
HAPPENED = {
    "submits": "submits",
    "acknowledged": "of them acknowledged",
    "without_an_answer_or_5xx": "calls without an answer, or with a 5xx",
    "leader_terms": "leaders",
    "replays": "replays",
    "fenced": "attempts refused that came too late",
    "longest_leader_gap_seconds": "longest time without a leader, by fault, seconds",
    "longest_until_201_seconds": "from PostgreSQL's return until a 201, seconds",
    "longest_until_done_seconds": "from PostgreSQL's return until a job is done, seconds",
    "longest_until_taken_back_seconds": "from the last beat of an attempt until it is taken back, seconds",
    "submit_p99_ms_outside_faults": "p99 of a submit outside faults, ms",
    "at_rest_after_seconds": "from the last submit until every job had ended, seconds",
}


def of_chaos() -> str:
    runs = {seed: report for seed in SEEDS if (report := results.read(f"chaos-{seed}"))}
    if not runs:
        return "Not run yet."
    rows = [[words, *(cell(report.get(key)) for report in runs.values())] for key, words in HAPPENED.items()]
    rows.insert(2, ["faults", *(str(sum(report["faults"].values())) for report in runs.values())])
    rows.insert(3, ["attempts", *(cell(report["attempts"]) for report in runs.values())])
    rows.append(["invariants that held", *(report["invariants"] for report in runs.values())])
    return table(["", *(f"seed {seed}" for seed in runs)], rows)


def of_proofs() -> str:
    report = results.read("proofs")
    if report is None:
        return "Not run yet."
    rows = [[fault, figures_of(figures)] for fault, figures in sorted(report.items(), key=lambda item: number(item[0]))]
    return table(["fault", "what it gave"], rows)


def number(fault: str) -> tuple[int, str]:
    """F2 comes before F10."""
    digits = fault.removeprefix("F").partition(" ")[0]
    return int(digits) if digits.isdigit() else 1_000, fault


def figures_of(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {cell(value)}" for name, value in figures.items())


def cell(value: Any) -> str:
    return "-" if value is None else shown(value)
