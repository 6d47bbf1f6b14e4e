"""A PostgreSQL that crashes, that ends sessions, and that has no room for another, under load."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from smartqueue.embedded import Server
from tests.processes import patiently
from tests.proofs import figure, times
from tests.scenarios.deployment import DURABLE_CONF, Deployment, deployed, state_folder, url_of
from tests.scenarios.writers import Reply, Writers

# The bars, on a machine of its own, are 10 s and 2 s.
RESUMED_SECONDS, REFUSED_SECONDS = 60.0, 20.0
OURS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = 'smartqueue'"
LISTENING = f"{OURS} AND application_name = 'worker' AND query ~ '^LISTEN|AS listening$'"
OF_THE_WEB = f"{OURS} AND application_name = 'web'"
END = "SELECT pg_terminate_backend(pid, 5000) "
PICKED_UP = """
    SELECT extract(epoch FROM attempt.started_at - created_at)::float8
    FROM jobs_job AS job JOIN jobs_attempt AS attempt ON job_id = job.id AND number = 1
    WHERE idempotency_key = ANY(%(any)s) OR job.id::text = ANY(%(any)s)
"""


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with (
        state_folder() as state,
        deployed(request, tmp_path_factory.mktemp("site"), Server(state, DURABLE_CONF)) as deployment,
    ):
        yield deployment


def refusals(writers: Writers, since: float) -> list[Reply]:
    """All that was not served, each of them as documented."""
    refused = [reply for reply in writers.since(since) if reply.status not in (200, 201)]
    assert not [reply for reply in refused if not reply.refused_well][:3]
    return refused


def pickups(site: Deployment, jobs: list[str]) -> list[float]:
    """The seconds each job, by key or id, waited from its submit to its first start, by the database's clock."""
    with site.above() as session:
        found = session.execute(PICKED_UP, {"any": jobs}).fetchall()
    assert len(found) == len(jobs)
    return sorted(round(seconds, 3) for (seconds,) in found)


def waits(seconds: list[float]) -> dict[str, float]:
    p50, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    return {"pickup_p50_seconds": p50, "pickup_p99_seconds": p99, "pickup_worst_seconds": seconds[-1]}


# --- F6: crashes ----------------------------------------------------------------------------------------------------


def postmaster_gets(site: Deployment, writers: Writers, signum: signal.Signals) -> None:
    assert site.server.process
    began = time.monotonic()
    site.server.process.send_signal(signum)
    site.server.process.wait(60)
    patiently(lambda: writers.refused_after(began), every_seconds=0.01)
    site.bring_back()


def one_backend_is_killed(site: Deployment, writers: Writers) -> None:
    """PostgreSQL then ends all other sessions, ours among them, and recovers by itself."""
    with suppress(psycopg.OperationalError), site.above() as session:
        pids = session.execute(f"SELECT pid {OF_THE_WEB} ORDER BY state").fetchall()
        os.kill(pids[0][0], signal.SIGKILL)
        patiently(lambda: session.execute("SELECT pg_sleep(0.01)") and False)


CRASHES = {
    "immediate stop": lambda site, writers: postmaster_gets(site, writers, signal.SIGQUIT),
    "postmaster killed": lambda site, writers: postmaster_gets(site, writers, signal.SIGKILL),
    "a backend killed": one_backend_is_killed,
}


@pytest.mark.parametrize("crash", CRASHES)
def test_after_a_crash_all_that_was_acknowledged_is_there_once_and_work_resumes(site: Deployment, crash: str) -> None:
    to_201, to_done, refused = [], [], 0
    acknowledged: dict[str, set[str]] = {}
    for number in range(times(1, 10)):
        with Writers(site.client, name=f"{crash} {number}") as writers:
            began = time.monotonic()
            CRASHES[crash](site, writers)
            back = site.accepts()
            to_201.append(writers.first_201_after(back))
            to_done.append(site.done_after(back))
        refused += len(refusals(writers, began))
        acknowledged |= writers.acknowledged
    site.assert_done_once(acknowledged)
    figure(
        f"F6 {crash}",
        crashes=len(to_done),
        acknowledged=len(acknowledged),
        lost=0,  # else the line above had failed
        refused_503=refused,
        first_201_after_seconds=round(max(to_201), 2),
        new_job_done_after_seconds=round(max(to_done), 2),
    )
    assert max(to_done) < RESUMED_SECONDS


# --- F8: ended sessions ---------------------------------------------------------------------------------------------


def test_when_all_sessions_are_ended_again_and_again_no_job_is_missed(site: Deployment) -> None:
    rounds = times(3, 20)
    with Writers(site.client, threads=4, name="ended") as writers:
        began = time.monotonic()
        for _ in range(rounds):
            with site.above() as session:
                assert session.execute(END + OURS).fetchall()
            # Work is under way again: the next blow falls on that.
            site.done_after(time.monotonic())
    site.assert_done_once(writers.acknowledged)
    seconds = pickups(site, list(writers.acknowledged))
    refused = refusals(writers, began)
    figure(
        "F8 all sessions ended", rounds=rounds, jobs=len(seconds), missed=0, refused_503=len(refused), **waits(seconds)
    )
    assert seconds[-1] < RESUMED_SECONDS


@contextmanager
def ended(site: Deployment) -> Iterator[None]:
    with site.above() as session:
        assert session.execute(END + LISTENING).fetchall()
        yield


@contextmanager
def silent(site: Deployment) -> Iterator[None]:
    """The session is there for the worker, but nothing comes from it: as when its line was cut without a word."""
    with site.above() as session:
        pids = [pid for (pid,) in session.execute(f"SELECT pid {LISTENING}")]
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("loss", [ended, silent])
def test_without_its_listening_session_a_worker_finds_the_next_job_by_looking(site: Deployment, loss: Any) -> None:
    jobs = []
    for _ in range(times(4, 40)):
        patiently(lambda: site.rows(f"SELECT pid {LISTENING}"))
        with loss(site):
            job_id = site.client.submitted()
            patiently(lambda job_id=job_id: site.done(job_id), every_seconds=0.02)
        jobs.append(job_id)
    seconds = pickups(site, jobs)
    figure(f"F8 listening session {loss.__name__}", jobs=len(jobs), missed=0, **waits(seconds))
    assert seconds[-1] < RESUMED_SECONDS


# --- F9: no room ----------------------------------------------------------------------------------------------------


def take_all(taken: ExitStack, url: str) -> None:
    while True:
        taken.enter_context(psycopg.connect(url))


@contextmanager
def full(site: Deployment) -> Iterator[None]:
    """Every session the server has room for is taken, those of the web among them."""
    with ExitStack() as taken, site.above() as session:
        assert session.execute(END + OF_THE_WEB).fetchall()
        with pytest.raises(psycopg.OperationalError, match="connection slots"):
            take_all(taken, url_of(site.server))
        assert not session.execute(f"SELECT pid {OF_THE_WEB}").fetchall()
        yield


def test_without_room_for_a_session_submits_are_refused_at_once_and_no_lease_is_lost(
    site: Deployment, tmp_path: Path
) -> None:
    hold_seconds, gate = times(5, 60), tmp_path / "go"
    task = {"task": "tests.until_file", "kwargs": {"path": str(gate)}}
    running = [site.client.submitted({"type": "python", "payload": task}) for _ in range(4)]
    leases = "SELECT expires_at > clock_timestamp(), clock_timestamp() - renewed_at FROM jobs_lease"
    patiently(lambda: len(site.rows(leases)) == len(running))
    writers = Writers(site.client, name="full")
    with full(site), site.above() as session:
        began = time.monotonic()
        writers.begin()
        # The time is the fault, not a wait for something.
        time.sleep(hold_seconds)
        refused = refusals(writers, began)
        held = session.execute(leases).fetchall()
    writers.end()
    assert not [reply for reply in writers.replies if reply.status == 201 and reply.at < began + hold_seconds]
    assert all(live for live, _ in held)
    assert len(held) == len(running)
    gate.touch()
    site.assert_done_once(writers.acknowledged)
    tries = site.rows("SELECT job_id::text, number, outcome FROM jobs_attempt WHERE name = 'tests.until_file'")
    assert sorted(tries) == sorted((job_id, 1, "done") for job_id in running)
    slowest = max(reply.seconds for reply in refused)
    figure(
        "F9 no room for a session",
        held_seconds=hold_seconds,
        refused_503=len(refused),
        slowest_503_seconds=round(slowest, 3),
        leases_lost=0,
        oldest_renewal_seconds=round(max(age.total_seconds() for _, age in held), 2),
    )
    assert slowest < REFUSED_SECONDS
