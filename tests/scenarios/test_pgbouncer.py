"""Between us and PostgreSQL a PgBouncer: in session mode all goes well, in transaction mode it cannot."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from jobs.processes.leader import LOCK, TRY_LOCK
from jobs.queue.sql import LOOK_UP
from smartqueue.embedded import Server
from tests.processes import patiently
from tests.proofs import figure
from tests.scenarios.bouncer import PROGRAM, pooled
from tests.scenarios.deployment import DURABLE_CONF, KINDS, Deployment, migrated, state_folder

pytestmark = pytest.mark.skipif(not PROGRAM, reason="NOT TESTED THROUGH PGBOUNCER: it is not installed")
JOBS = 50
# More than these processes have sessions: one that finds none waits.
SESSIONS = 50
BY_PROCESS = """
    SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1
"""


@pytest.fixture
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    with state_folder() as folder, migrated(request, folder, Server(folder, DURABLE_CONF)) as deployment:
        yield deployment


def test_in_session_mode_all_processes_work_through_it(deployment: Deployment) -> None:
    with pooled(deployment.server, deployment.folder / "pool", mode="session", size=SESSIONS) as url:
        deployment.fleet.environ["DATABASE_URL"] = url
        deployment.come_up()

        ids = [deployment.client.submitted() for _ in range(JOBS)]
        patiently(lambda: all(deployment.done(job_id) for job_id in ids))

        by_process = dict(deployment.rows(BY_PROCESS))
        ((leaders,),) = deployment.rows("SELECT count(*) FROM jobs_leaderterm WHERE ended_at IS NULL")
        deployment.assert_whole()
        deployment.fleet.close()
    figure("through PgBouncer, session mode", jobs=len(ids), sessions=by_process)
    assert leaders == 1
    assert by_process.keys() >= {"web", *KINDS}
    assert sum(by_process.values()) < SESSIONS


def test_in_transaction_mode_what_is_of_a_session_is_lost(deployment: Deployment) -> None:
    """Why docs/scaling.md forbids it: each of these holds the lead, wakes a worker or bounds a statement."""
    with (
        pooled(deployment.server, deployment.folder / "pool", mode="transaction", size=1) as url,
        psycopg.connect(url, autocommit=True) as one,
        psycopg.connect(url, autocommit=True) as other,
    ):
        assert [session.execute(TRY_LOCK, LOCK).fetchone() for session in (one, other)] == [(True,), (True,)]

        one.execute(LOOK_UP)
        assert other.execute("SHOW enable_seqscan").fetchone() == ("off",)

        one.execute("LISTEN woken")
        other.execute("NOTIFY woken")
        assert list(one.notifies(timeout=0.5)) == []

        one.execute("SELECT 1", prepare=True)
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            other.execute("SELECT 1", prepare=True)


@pytest.mark.parametrize(("mode", "state"), [("session", "ok"), ("transaction", "wrong")])
def test_doctor_says_which_it_is(deployment: Deployment, mode: str, state: str) -> None:
    with pooled(deployment.server, deployment.folder / "pool", mode=mode, size=4) as url:
        asking = deployment.fleet.manage("doctor", "--json", DATABASE_URL=url)
        # without workers there is always something wrong
        assert asking.ended() == 1

    findings = [json.loads(line) for line in asking.text.splitlines() if line.startswith('{"name"')]
    assert [one["state"] for one in findings if one["name"] == "sessions"] == [state]


def test_in_session_mode_it_is_kept(deployment: Deployment) -> None:
    with (
        pooled(deployment.server, deployment.folder / "pool", mode="session", size=2) as url,
        psycopg.connect(url, autocommit=True) as one,
        psycopg.connect(url, autocommit=True) as other,
    ):
        assert [session.execute(TRY_LOCK, LOCK).fetchone() for session in (one, other)] == [(True,), (False,)]

        one.execute(LOOK_UP)
        assert other.execute("SHOW enable_seqscan").fetchone() == ("on",)

        one.execute("LISTEN woken")
        other.execute("NOTIFY woken")
        assert [note.channel for note in one.notifies(timeout=30, stop_after=1)] == ["woken"]
