"""python -m bench audit: what the audit trail and its seals cost, in time and space."""

from importlib import import_module

from bench import cluster, machine, results, sizes
from bench.ours.main import rounded
from bench.ours.stage import Stage


def main() -> None:
    with cluster.running() as server:
        facts = machine.facts()
        stage = Stage(server)
        # not before Django is set up
        measure = import_module("bench.ours.audit")
        report = {
            "about": measure.ABOUT,
            **facts,
            "sizes": {size: getattr(sizes, size) for size in measure.SIZES},
            "figures": rounded(measure.measure(stage)),
        }
        # far from the first one: something else was at work on this machine
        report["bare_commits_per_second_at_the_end"] = round(machine.bare_commits())
    results.write("audit", report)
    for name, value in report["figures"].items():
        print(f"{name}: {value}")
