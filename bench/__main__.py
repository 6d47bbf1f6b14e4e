"""`make bench`: measure SmartQueue and its peers in one run, print the ratios, write bench/results/peers.json.

Names after it measure only those: python -m bench smartqueue procrastinate. `JOBS` and `TIMES` set the size of a run.
"""

import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from bench import cluster, compare

HERE = Path(__file__).parent
RATES = ("enqueue_single", "enqueue_bulk", "drain_1", "drain_2")


def main(names: list[str]) -> None:
    wanted = names or [*compare.POSTGRESQL, *compare.REDIS]
    if set(wanted) - {"smartqueue"}:
        install_peers()
    with cluster.running(), compare.redis_server() as redis_url:
        bound = bare_commits()
        found = compare.compare(wanted, redis_url, int(os.environ.get("JOBS", 10_000)), int(os.environ.get("TIMES", 3)))
    report = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "bare_commits_per_second": bound,
        "peers": found,
    }
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    if not names:
        (results / "peers.json").write_text(json.dumps(report, indent=2) + "\n")
    show(found, bound)


def install_peers() -> None:
    """The other queues, with their hashes, where they cannot meet our own packages."""
    if (compare.PEERS_VENV / "bin" / "python").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(compare.PEERS_VENV)], check=True)
    pip = [str(compare.PEERS_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run([*pip, "-r", str(HERE / "requirements-peers.txt")], check=True)


def bare_commits(seconds: float = 2.0) -> float:
    """The bound of the machine: transactions that insert one row and delete one, a second, on one connection."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as plain:
        plain.execute("CREATE TABLE bare (id bigint PRIMARY KEY)")
        done, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            plain.execute(
                "WITH gone AS (DELETE FROM bare WHERE id = %s) INSERT INTO bare VALUES (%s)", (done - 1, done)
            )
            done += 1
        plain.execute("DROP TABLE bare")
    return done / seconds


def show(found: dict[str, dict[str, Any]], bound: float) -> None:
    """Jobs a second, with SmartQueue's ratio to each peer of this run; idle start in milliseconds."""
    ours = found.get("smartqueue", {})
    print(f"\n{'':<18}" + "".join(f"{name:>24}" for name in RATES) + f"{'idle p50 / p99 ms':>22}")
    for name, figures in found.items():
        if "failed" in figures:
            print(f"{name:<18}  failed: {figures['failed'][-100:]}")
            continue
        cells = [f"{figures[rate]:>12,.0f} {ratio(ours, figures, rate):>11}" for rate in RATES]
        idle = figures["idle_ms"]
        print(f"{name:<18}" + "".join(cells) + f"{idle['p50']:>14.1f} / {idle['p99']:.1f}")
    print(f"\nOne connection commits {bound:,.0f} bare transactions a second here.")


def ratio(ours: dict[str, Any], figures: dict[str, Any], rate: str) -> str:
    if rate not in ours or ours is figures:
        return ""
    return f"(x {ours[rate] / figures[rate]:.2f})"


if __name__ == "__main__":
    main(sys.argv[1:])
