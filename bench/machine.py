"""Where it was measured: a figure without its machine says nothing."""

import os
import platform
import time
from datetime import UTC, datetime
from typing import Any

import psycopg

from bench import cluster


def facts() -> dict[str, Any]:
    ((version,),) = cluster.execute("SHOW server_version")
    ((synchronous,),) = cluster.execute("SHOW synchronous_commit")
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "postgresql": version,
        "synchronous_commit": synchronous,
        "bare_commits_per_second": round(bare_commits()),
    }


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
