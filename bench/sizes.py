"""How much is measured: each size has a variable, so that a tiny run of everything takes seconds."""

import os
from pathlib import Path

from smartqueue.env import env_int, env_list, env_seconds, env_str

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
# The one option of its worker that each peer is measured with; empty: the one it drains fastest with.
OPTION = env_str("OPTION", "")
SINGLE_JOBS = env_int("SINGLE_JOBS", 1_000, minimum=1)
IDLE_JOBS = env_int("IDLE_JOBS", 100, minimum=2)
PACED_RATE = env_int("PACED_RATE", 200, minimum=1)
PACED_SECONDS = env_seconds("PACED_SECONDS", 5, minimum=0.1)
# Other rows in the store during one of the drains, half of them waiting in another queue, half finished.
OTHER_ROWS = env_int("OTHER_ROWS", 500_000, minimum=2)
PATIENCE_SECONDS = env_seconds("PATIENCE_SECONDS", 300)

# --- SmartQueue alone ---------------------------------------------------------------------------------------------
# A worker's slots, and how long a rate is looked at.
SLOTS = env_int("SLOTS", 100, minimum=1)
STEADY_SECONDS = env_seconds("STEADY_SECONDS", 10, minimum=0.5)
# Waiting in the queue that is drained, and finished.
BACKLOG_WAITING = env_int("BACKLOG_WAITING", 1_000_000, minimum=1)
BACKLOG_FINISHED = env_int("BACKLOG_FINISHED", 1_000_000, minimum=1)
# In the store, half of them waiting in the queue that is claimed from; growing.
CLAIM_ROWS = [int(rows) for rows in env_list("CLAIM_ROWS", "0,1000000,5000000")]
COPY_ROWS = env_int("COPY_ROWS", 50_000, minimum=1)
OPEN_SECONDS = env_int("OPEN_SECONDS", 300, minimum=5)
FEED_RATE = env_int("FEED_RATE", 1_500, minimum=20)
REST_RATE = env_int("REST_RATE", 200, minimum=1)
REST_SECONDS = env_seconds("REST_SECONDS", 20, minimum=1)
# Runs that the model learns from, and how long it may.
REST_RUNS = env_int("REST_RUNS", 500, minimum=100)
RETRIES_DUE = env_int("RETRIES_DUE", 100_000, minimum=2)
RETRIES_RATE = env_int("RETRIES_RATE", 100, minimum=1)
KILL_WORKERS = env_int("KILL_WORKERS", 8, minimum=1)
KILL_JOBS = env_int("KILL_JOBS", 100_000, minimum=1)
KILL_SECONDS = env_seconds("KILL_SECONDS", 2, minimum=0.1)
KILL_SEED = env_int("KILL_SEED", 1)
PROFILE_JOBS = env_int("PROFILE_JOBS", 20_000, minimum=1)

# Calls to each of two webs, in turn.
RLS_PAIRS = env_int("RLS_PAIRS", 2_000, minimum=1)

# --- Drains beside the simulation of many hosts --------------------------------------------------------------------
SCALING_JOBS = env_int("SCALING_JOBS", 40_000, minimum=1)

# --- Fair use -----------------------------------------------------------------------------------------------------
FLOOD_JOBS = env_int("FLOOD_JOBS", 100_000, minimum=1)
FLOOD_JOB_MS = env_int("FLOOD_JOB_MS", 50)
QUIET_RATE = env_int("QUIET_RATE", 10, minimum=1)
QUIET_SECONDS = env_seconds("QUIET_SECONDS", 90, minimum=1)

# --- The audit trail ----------------------------------------------------------------------------------------------
AUDIT_ROWS = env_int("AUDIT_ROWS", 200_000, minimum=1)
# Acts a second while a worker drains.
AUDIT_ROUNDS = env_int("AUDIT_ROUNDS", 7, minimum=1)
AUDIT_RATE = env_int("AUDIT_RATE", 100, minimum=1)

# --- Pages among many jobs ----------------------------------------------------------------------------------------
PAGE_JOBS = env_int("PAGE_JOBS", 1_000_000, minimum=1)
# How often each page is asked for, and how many jobs one statement makes.
PAGE_ROUNDS = env_int("PAGE_ROUNDS", 40, minimum=1)
PAGE_CHUNK = env_int("PAGE_CHUNK", 100_000, minimum=1)

# --- etl jobs -----------------------------------------------------------------------------------------------------
ETL_ROWS = env_int("ETL_ROWS", 1_000_000, minimum=10)
ETL_JOBS = env_int("ETL_JOBS", 50, minimum=1)


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
