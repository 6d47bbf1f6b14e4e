"""python -m bench ours [NAME ...]: run these measures, or all, and keep each under its name."""

import sys
from importlib import import_module
from typing import Any

from bench import cluster, machine, results, sizes, tables
from bench.ours.stage import Stage

# Each is a module here, which says in ABOUT what measure() does and in SIZES what it may be sized by.
MEASURES = ("backlog", "calls", "claim", "copying", "held", "rest", "retries", "kills", "profile")


def main(names: list[str]) -> None:
    if unknown := set(names) - set(MEASURES):
        sys.exit(f"no such measure: {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    failed = []
    with cluster.running() as server:
        facts = machine.facts()
        stage = Stage(server)
        for name in names or MEASURES:
            try:
                keep(name, facts, stage)
            except (RuntimeError, TimeoutError, AssertionError) as fault:
                failed.append(name)
                print(f"{name} FAILED: {fault}", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def keep(name: str, facts: dict[str, Any], stage: Stage) -> None:
    # not before Django is set up
    measure = import_module(f"bench.ours.{name}")
    figures = measure.measure(stage)
    one = {
        "about": measure.ABOUT,
        **facts,
        "sizes": {size: getattr(sizes, size) for size in measure.SIZES},
        "figures": {key: rounded(value) for key, value in figures.items()},
    }
    report = results.read("smartqueue") or {}
    results.write("smartqueue", {known: report.get(known) for known in report if known != name} | {name: one})
    print(tables.of_ours({name: one}), end="\n\n", flush=True)


def rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 1 if abs(value) > 100 else 3)
        case list():
            return [rounded(each) for each in value]
        case dict():
            return {key: rounded(each) for key, each in value.items()}
    return value
