"""`make bench`: measure, print, write bench/results/core.json."""

import json
import os
import platform
import statistics
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import cluster

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    with cluster.running():
        import django

        django.setup()
        from django.core.management import call_command

        from bench import measures
        from orgs.models import Org

        call_command("migrate", verbosity=0)
        org = Org.objects.create(slug="bench", name="Bench")
        with measures.no_queries_kept():
            bound = measures.bare_commits()
            figures = {
                "bare_commits_per_second": bound,
                "enqueue_single_per_second": median(lambda: measures.enqueue_single(org, 1_000)),
                "enqueue_bulk_per_second": median(lambda: measures.enqueue_bulk(org, 10_000, "bulk")),
                "drain_1_process_per_second": measures.drain(org, 10_000, 1, 100),
                "drain_2_processes_per_second": measures.drain(org, 10_000, 2, 100),
                "estimate_ms": measures.predict_cost(org, 500),
                "idle_start_ms": measures.idle_latency(org, 200),
            }
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **figures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "core.json").write_text(json.dumps(report, indent=2) + "\n")
    show(figures, bound)


def median(measure: Callable[[], float], times: int = 3) -> float:
    return statistics.median(measure() for _ in range(times))


def show(figures: dict[str, object], bound: float) -> None:
    """Rates with their ratio to bare commits of the same run."""
    for name, value in figures.items():
        if isinstance(value, dict):
            print(f"{name:<34}" + "  ".join(f"{key} {number:.2f}" for key, number in value.items()))
        elif isinstance(value, float):
            ratio = f"  {value / bound:5.2f} x bare commits" if name.endswith("per_second") else ""
            print(f"{name:<34}{value:10.2f}{ratio}")


if __name__ == "__main__":
    main()
