"""How much is measured: each size has a variable, so that a tiny run of everything takes seconds."""

import os
from pathlib import Path

from smartqueue.env import env_int, env_seconds, env_str

HERE = Path(__file__).parent
# Where the figures go. A run of some peers only, or with sizes of its own, is for looking and keeps bench/results/.
RESULTS = Path(env_str("RESULTS", str(HERE / "results")))
KEPT = "RESULTS" in os.environ

# --- Beside the peers ---------------------------------------------------------------------------------------------
# Rounds: each measures every peer once; the medians count.
TIMES = env_int("TIMES", 3, minimum=1)
# Jobs of a drain. 0: as many as the peer drains in DRAIN_SECONDS, by a first probe.
JOBS = env_int("JOBS", 0)
DRAIN_SECONDS = env_seconds("DRAIN_SECONDS", 4, minimum=0.1)
SINGLE_JOBS = env_int("SINGLE_JOBS", 1_000, minimum=1)
IDLE_JOBS = env_int("IDLE_JOBS", 100, minimum=2)
PACED_RATE = env_int("PACED_RATE", 200, minimum=1)
PACED_SECONDS = env_seconds("PACED_SECONDS", 5, minimum=0.1)
# Other rows in the store during one of the drains, half of them waiting in another queue, half finished.
OTHER_ROWS = env_int("OTHER_ROWS", 500_000, minimum=2)
PATIENCE_SECONDS = env_seconds("PATIENCE_SECONDS", 300)


def of_peers() -> dict[str, float]:
    """As kept with the figures."""
    return {
        "times": TIMES,
        "jobs": JOBS,
        "drain_seconds": DRAIN_SECONDS,
        "single_jobs": SINGLE_JOBS,
        "idle_jobs": IDLE_JOBS,
        "paced_rate": PACED_RATE,
        "paced_seconds": PACED_SECONDS,
        "other_rows": OTHER_ROWS,
    }
