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
# From a fault of the leader until the next one leads, and from the return of the database until work goes on.
LEADER_GAP_SECONDS = {"kill": 2.0, "term": 2.0, "stop": 7.0, "partition": 8.0}
RESUME_SECONDS = 10.0
UNEVEN = "SELECT count(*) FROM jobs_job WHERE status NOT IN ('done', 'failed', 'cancelled')"


@dataclass
class Report:
    figures: dict[str, Any]
    broken: dict[str, list[Any]]


def play(seconds: float, seed: int, rate: float, slack: float = 1.0) -> Report:
    """`slack` times the bounds in seconds: for a machine that others use too."""
    with tempfile.TemporaryDirectory(prefix="smartqueue-chaos-") as state, tempfile.TemporaryDirectory() as logs:
        Path(state).chmod(0o711)
        site = Site(Path(state), Path(logs))
        try:
            return played(site, Load(site.address, Path(logs), rate, seed), seconds, seed, slack)
        finally:
            site.close()


def played(site: Site, load: Load, seconds: float, seed: int, slack: float) -> Report:
    with psycopg.connect(site.url, autocommit=True) as session:
        session.execute("CREATE TABLE effects (job_id uuid, attempt int)")
    site.start()
    load.register()
    load.told.faults.clear()  # the web was about to start
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
        broken["no-5xx-outside-faults"] = outside(load, faults.done, slack)
        gaps, resumed = leader_gaps(session, faults.done), resumes(session, load, faults.done)
        broken["lost-attempt-retaken-within-bound"] = late_rescues(session, faults.done, slack)
        broken["leader-failover-within-bound"] = [
            (kind, gap) for kind, found in gaps.items() for gap in found if gap > slack * LEADER_GAP_SECONDS[kind]
        ]
        broken["resumed-within-bound"] = [times for times in resumed if max(times) > slack * RESUME_SECONDS]
        times = {
            "longest_leader_gap_seconds": {kind: max(found) for kind, found in sorted(gaps.items())},
            "leader_faults": {kind: len(found) for kind, found in sorted(gaps.items())},
            "longest_until_201_seconds": most(resumed, 0),
            "longest_until_done_seconds": most(resumed, 1),
            "at_rest_after_seconds": rested_after,
        }
        return Report({**figures(session, site, load, faults.done), **times}, broken)


def most(times: list[tuple[float, float]], place: int) -> float | None:
    return max((each[place] for each in times), default=None)


def leader_gaps(session: psycopg.Connection[Any], faults: list[Fault]) -> dict[str, list[float]]:
    """By kind of fault that the leader met: seconds until the next term began. A stop may be over before that."""
    begun = [row[0] for row in session.execute("SELECT extract(epoch FROM elected_at)::float8 FROM jobs_leaderterm")]
    gaps: dict[str, list[float]] = {}
    for fault in faults:
        after = fault.at + (fault.ended - fault.began) + LEADER_GAP_SECONDS["stop"]
        next_one = min((at for at in begun if fault.at < at < after), default=None)
        if fault.of_leader and next_one is not None:
            gaps.setdefault(fault.kind, []).append(round(next_one - fault.at, 2))
        elif fault.of_leader and fault.kind in ("kill", "term"):
            gaps.setdefault(fault.kind, []).append(float("inf"))
    return gaps


def resumes(session: psycopg.Connection[Any], load: Load, faults: list[Fault]) -> list[tuple[float, float]]:
    """Of each return of the database: seconds until a submit was acknowledged, and until a job was done."""
    found = []
    for fault in faults:
        if not fault.restarts_database:
            continue
        answered = min((at for at in load.told.answered if at > fault.ended), default=fault.ended)
        back = fault.at + (fault.ended - fault.began)
        (row,) = session.execute(
            "SELECT extract(epoch FROM min(finished_at))::float8 - %s FROM jobs_job"
            " WHERE status = 'done' AND finished_at > to_timestamp(%s)",
            [back, back],
        ).fetchall()
        found.append((round(answered - fault.ended, 2), round(row[0] or 0.0, 2)))
    return found


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


def outside(load: Load, faults: list[Fault], slack: float) -> list[tuple[float, str]]:
    windows = [(fault.began, fault.ended + slack * WEB_AFTER_SECONDS) for fault in faults if fault.web]
    return [(at, what) for at, what in load.told.faults if not any(start <= at <= end for start, end in windows)]


def late_rescues(session: psycopg.Connection[Any], faults: list[Fault], slack: float) -> list[Any]:
    """Attempts that were lost and not taken back within the bound, the time without a database left out."""
    away = sum(fault.ended - fault.began for fault in faults if fault.target == "database")
    rows = session.execute(
        """SELECT job_id, number, extract(epoch FROM ended_at - last_beat_at)::float8 FROM jobs_attempt
           WHERE outcome = 'lost'"""
    ).fetchall()
    return [row for row in rows if row[2] > slack * TAKEN_BACK_SECONDS + min(away, 10.0)]


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
        "longest_until_taken_back_seconds": round(max(taken_back, default=0.0), 1),
        "submit_p99_ms_outside_faults": round(statistics.quantiles(quiet, n=100)[98] * 1000)
        if len(quiet) > 99
        else None,
    }
