"""One run: the deployment comes up, load and faults go on for a while, all comes to rest, and is looked at."""

import contextlib
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos import invariants
from tests.chaos.faults import Fault, Faults
from tests.chaos.load import Load
from tests.chaos.site import Site
from tests.eventually import eventually

LOOK_SECONDS = 3.0
REST_SECONDS = 240.0
# Callers of the web may notice a fault for as long after it.
WEB_AFTER_SECONDS = 10.0
TAKEN_BACK_SECONDS = 40.0
UNEVEN = "SELECT count(*) FROM jobs_job WHERE status NOT IN ('done', 'failed', 'cancelled')"


@dataclass
class Report:
    figures: dict[str, Any]
    broken: dict[str, list[Any]]


def play(seconds: float, seed: int, rate: float) -> Report:
    with tempfile.TemporaryDirectory(prefix="smartqueue-chaos-") as state, tempfile.TemporaryDirectory() as logs:
        Path(state).chmod(0o711)
        site = Site(Path(state), Path(logs))
        try:
            return played(site, Load(site.address, Path(logs), rate, seed), seconds, seed)
        finally:
            site.close()


def played(site: Site, load: Load, seconds: float, seed: int) -> Report:
    with psycopg.connect(site.url, autocommit=True) as session:
        session.execute("CREATE TABLE effects (job_id uuid, attempt int)")
    site.start()
    load.register()
    watch, stopping = invariants.Watch(), threading.Event()
    watcher = threading.Thread(target=look_again, args=(site, watch, stopping), daemon=True)
    watcher.start()
    faults = Faults(site, seed, seconds)
    load.start()
    faults.run()
    load.stop()
    rested_after = at_rest(site)
    stopping.set()
    watcher.join()
    with site.session() as session:
        broken = invariants.broken(session, load.told, load.effects, watch)
        broken["no-5xx-outside-faults"] = outside(load, faults.done)
        broken["lost-attempt-retaken-within-bound"] = late_rescues(session, faults.done)
        return Report({**figures(session, site, load, faults.done), "at_rest_after_seconds": rested_after}, broken)


def look_again(site: Site, watch: invariants.Watch, stopping: threading.Event) -> None:
    while not stopping.wait(LOOK_SECONDS):
        with contextlib.suppress(psycopg.Error), site.session() as session:
            watch.look(session)


def at_rest(site: Site) -> float:
    """Seconds until every job has ended; what has not by then breaks every-job-ends."""
    begun = time.monotonic()

    def over() -> bool:
        with contextlib.suppress(psycopg.Error), site.session() as session:
            return session.execute(UNEVEN).fetchall() == [(0,)]
        return False

    with contextlib.suppress(AssertionError):
        eventually(over, within_seconds=REST_SECONDS, every_seconds=0.5)
    return round(time.monotonic() - begun, 1)


def outside(load: Load, faults: list[Fault]) -> list[tuple[float, str]]:
    windows = [(fault.began, fault.ended + WEB_AFTER_SECONDS) for fault in faults if fault.web]
    return [(at, what) for at, what in load.told.faults if not any(start <= at <= end for start, end in windows)]


def late_rescues(session: psycopg.Connection[Any], faults: list[Fault]) -> list[Any]:
    """Attempts that were lost and not taken back within the bound, the time without a database left out."""
    away = sum(fault.ended - fault.began for fault in faults if fault.target == "database")
    rows = session.execute(
        """SELECT job_id, number, extract(epoch FROM ended_at - last_beat_at)::float8 FROM jobs_attempt
           WHERE outcome = 'lost'"""
    ).fetchall()
    return [row for row in rows if row[2] > TAKEN_BACK_SECONDS + min(away, 10.0)]


def figures(session: psycopg.Connection[Any], site: Site, load: Load, faults: list[Fault]) -> dict[str, Any]:
    told = load.told

    def column(query: str) -> list[Any]:
        return [row[0] for row in session.execute(query).fetchall()]

    taken_back = column(
        "SELECT extract(epoch FROM ended_at - last_beat_at)::float8 FROM jobs_attempt WHERE outcome = 'lost' ORDER BY 1"
    )
    windows = [(fault.began, fault.ended + WEB_AFTER_SECONDS) for fault in faults]
    quiet = [wait for at, wait in told.waits if not any(start <= at <= end for start, end in windows)]
    return {
        "submits": len(told.sent),
        "acknowledged": len(told.acknowledged),
        "acknowledged_more_than_once": sum(len(ids) > 1 for ids in told.acknowledged.values()),
        "refused": len(told.refused),
        "without_an_answer_or_5xx": len(told.faults),
        "faults": dict(sorted(Counter(fault.name for fault in faults).items())),
        "attempts": dict(
            session.execute("SELECT outcome, count(*) FROM jobs_attempt GROUP BY 1 ORDER BY 1").fetchall()
        ),
        "statuses": dict(session.execute("SELECT status, count(*) FROM jobs_job GROUP BY 1 ORDER BY 1").fetchall()),
        "replays": sum(told.replayed.values()),
        "fenced": site.text("worker").count('"fenced"'),
        "leader_terms": column("SELECT count(*) FROM jobs_leaderterm")[0],
        "longest_from_the_last_beat_until_taken_back_seconds": round(max(taken_back, default=0.0), 1),
        "submit_p99_ms_outside_faults": round(statistics.quantiles(quiet, n=100)[98] * 1000)
        if len(quiet) > 99
        else None,
    }
