"""A host that is cut off without a word, and comes back."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from smartqueue.database import database_url
from tests.process import Process
from tests.processes import Fleet, patiently
from tests.proofs import figure, times
from tests.scenarios.hosts import HostedServer, Net, fault
from tests.scenarios.test_outage import Site

# What a vanished host may cost at most, in seconds; a quiet machine needs half of it, and TCP's own defaults minutes.
SESSION_FREED, NEXT_LEADER, NOTICED = 15.0, 8.0, 15.0
NO_LONGER = '"no longer leading"'


class Hosts(Site):
    """Processes on hosts `a` and `b`, and a PostgreSQL that only they reach."""

    def __init__(self, folder: Path, fleet: Fleet, server: HostedServer, net: Net) -> None:
        super().__init__(folder, fleet, server)
        self.net = net

    def on(self, host: str, *words: str) -> Process:
        url = self.fleet.environ["DATABASE_URL"]
        credentials, _, place = url.removeprefix("postgres://").rpartition("@")
        there = f"postgres://{credentials}@{self.net.address(host, of_db=True)}/{place.rpartition('/')[2]}"
        return self.fleet.start(
            self.net.command(host, [sys.executable, "manage.py", *words]), DATABASE_URL=there, PYTHONPATH="."
        )

    def sessions(self, host: str) -> int:
        address = self.net.address(host, of_db=False)
        return self.rows("SELECT host(client_addr) FROM pg_stat_activity").count((address,))

    def leader(self) -> str | None:
        """The host whose address the holder of the lock has."""
        rows = self.rows(
            "SELECT host(client_addr) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND classid = 21329"
        )
        return next((host for host in Net.HOSTS for (at,) in rows if at == self.net.address(host, of_db=False)), None)


@pytest.fixture
def hosts(tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    if why_not := fault():
        pytest.skip(f"NO HOSTS TO CUT OFF, so partitions were not tried: {why_not}")
    net = Net()
    with TemporaryDirectory(prefix="smartqueue-hosts-") as state:
        Path(state).chmod(0o711)
        server = HostedServer(Path(state), net)
        try:
            net.make()
            server.start()
            server.role_ready()
            server.let_hosts_in()
            with monkeypatch.context() as patched:
                patched.setenv("SMARTQUEUE_STATE_DIR", state)
                patched.delenv("DATABASE_URL")
                url = database_url()
            fleet = Fleet(tmp_path, DATABASE_URL=url, SMARTQUEUE_STATE_DIR=state)
            try:
                migrating = fleet.manage("migrate")
                assert migrating.ended(120) == 0, migrating.text
                yield Hosts(tmp_path, fleet, server, net)
            finally:
                fleet.close()
        finally:
            server.stop()
            server.destroy()
            net.close()


def first_times(**checks: Callable[[], Any]) -> dict[str, float]:
    """Seconds from now until each was true for the first time."""
    began, found = time.monotonic(), dict[str, float]()

    def all_found() -> bool:
        for name, check in checks.items():
            if name not in found and check():
                found[name] = round(time.monotonic() - began, 1)
        return len(found) == len(checks)

    patiently(all_found)
    return found


def test_a_worker_that_is_cut_off_is_fenced_when_it_comes_back(hosts: Hosts, tmp_path: Path) -> None:
    files = {"gate": str(tmp_path / "go"), "path": str(tmp_path / "ended")}
    hosts.enqueue(f"[{json.dumps({'task': 'tests.mark_when', 'kwargs': files})}]")
    cut_off = hosts.on("a", "runworker")
    patiently(lambda: hosts.rows("SELECT FROM jobs_lease"))
    other = hosts.on("b", "runworker")
    hosts.on("b", "runwatchdog")
    patiently(lambda: hosts.sessions("b") >= 3)

    hosts.net.cut("a")
    took = first_times(
        freed=lambda: not hosts.sessions("a"),
        noticed=lambda: "database trouble" in cut_off.text or "listening session lost" in cut_off.text,
        taken_over=lambda: hosts.rows("SELECT FROM jobs_lease WHERE attempt = 2"),
    )
    figure("F3 worker cut off", **{f"{name}_after_seconds": seconds for name, seconds in took.items()})
    (tmp_path / "go").touch()
    patiently(lambda: hosts.rows("SELECT FROM jobs_job WHERE status = 'done'"))
    patiently(lambda: len((tmp_path / "ended").read_text().splitlines()) == 2)
    before = hosts.rows("SELECT * FROM jobs_job")
    hosts.net.heal("a")
    patiently(lambda: '"fenced"' in cut_off.text)

    assert took["freed"] <= SESSION_FREED
    assert took["noticed"] <= NOTICED
    assert hosts.rows("SELECT * FROM jobs_job") == before
    attempts = hosts.rows("SELECT number, outcome, fenced_at IS NOT NULL FROM jobs_attempt ORDER BY number")
    assert attempts == [(1, "lost", True), (2, "done", False)]
    assert cut_off.running
    assert other.running
    # Both go on working.
    hosts.enqueue('[{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}]')
    patiently(lambda: hosts.rows("SELECT count(*) FROM jobs_job WHERE status = 'done'") == [(2,)])


def test_a_leader_that_is_cut_off_is_followed_by_another(hosts: Hosts) -> None:
    schedulers = {"a": hosts.on("a", "runscheduler")}
    patiently(lambda: hosts.leader() == "a")
    schedulers["b"] = hosts.on("b", "runscheduler")
    patiently(lambda: hosts.sessions("b") >= 1)
    payload = '{"task": "demo.add", "kwargs": {"a": 1, "b": 2}}'
    hosts.enqueue(f"[{', '.join([payload] * 20)}]")

    gaps = []
    for lost, next_one in islice(cycle((("a", "b"), ("b", "a"))), times(2, 30)):
        patiently(lambda next_one=next_one: hosts.sessions(next_one) >= 2)
        said = schedulers[lost].text.count(NO_LONGER)
        hosts.net.cut(lost)
        began = time.monotonic()
        patiently(lambda next_one=next_one: hosts.leader() == next_one)
        gaps.append(time.monotonic() - began)
        hosts.net.heal(lost)
        patiently(lambda lost=lost, said=said: schedulers[lost].text.count(NO_LONGER) > said)

    figure("F12 leader cut off", times=len(gaps), longest_gap_seconds=round(max(gaps), 1))
    assert max(gaps) <= NEXT_LEADER
    terms = hosts.rows("SELECT elected_at, beat_at, ended_at FROM jobs_leaderterm ORDER BY epoch")
    assert len(terms) > len(gaps)
    assert all(earlier[2] <= later[0] for earlier, later in pairwise(terms))
    assert all(beat <= ended for _, beat, ended in terms if ended)
