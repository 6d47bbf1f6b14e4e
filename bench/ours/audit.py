"""The audit trail must not be felt by those who submit, nor its seals by those who work."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import psycopg
from django.db import connection, transaction

from bench import sizes
from bench.ours.stage import ENDLESS, Stage
from bench.ours.stock import stock
from bench.peers import counter
from orgs.audit_seals import BATCH, Sealer
from orgs.audit_verify import verify
from orgs.row_security import role_of, tables_of

ABOUT = (
    "a trail is written, sealed and verified; one worker drains beside a scheduler and a writer of acts, in turns with "
    "neither seals nor row-level security, and with both"
)
SIZES = ("AUDIT_ROUNDS", "SLOTS", "STEADY_SECONDS", "AUDIT_ROWS", "AUDIT_RATE")
NEVER, OFTEN = "86400", "1"
ROWS = """
    INSERT INTO orgs_auditentry (org_id, actor_id, actor_name, action, target, detail, address, correlation_id, at)
    SELECT 1, number %% 50, 'user' || number %% 50, 'job.cancel', gen_random_uuid(),
           '{"old": "queued", "new": "cancelled", "reason": "it is not needed any more"}', '10.0.0.1',
           replace(gen_random_uuid()::text, '-', ''), clock_timestamp()
    FROM generate_series(1, %(rows)s) AS number
"""


def measure(stage: Stage) -> dict[str, Any]:
    stage.fresh()
    spent = {"write": spent_on(lambda: act(sizes.AUDIT_ROWS)), "seal": spent_on(seal_all), "verify": spent_on(verify)}
    if verify().found:
        raise AssertionError("the trail is not as it was sealed")
    bytes_of = {
        name: stage.number(f"SELECT {function}('{table}')") / sizes.AUDIT_ROWS
        for name, function, table in (
            ("row_bytes", "pg_table_size", "orgs_auditentry"),
            ("row_index_bytes", "pg_indexes_size", "orgs_auditentry"),
            ("seal_bytes_a_row", "pg_total_relation_size", "orgs_auditseal"),
        )
    }
    per_row = {
        f"{name}_{kind}_a_row": seconds / sizes.AUDIT_ROWS * 1e6
        for name, both in spent.items()
        for kind, seconds in zip(("us", "cpu_us"), both, strict=True)
    }
    return {**per_row, **bytes_of, **drains(stage)}


def spent_on(call: Callable[[], object]) -> tuple[float, float]:
    """Seconds that passed, and of processor time, the server's with it: these a busy machine does not change."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        server = psutil.Process(cursor.fetchone()[0])
    begun, worked = time.perf_counter(), processor_seconds(server)
    call()
    return time.perf_counter() - begun, processor_seconds(server) - worked


def processor_seconds(server: psutil.Process) -> float:
    of_server = server.cpu_times()
    return float(time.process_time() + of_server.user + of_server.system)


def act(rows: int) -> None:
    with connection.cursor() as cursor:
        for _ in range(0, rows, BATCH):
            cursor.execute(ROWS, {"rows": min(BATCH, rows)})


def seal_all() -> None:
    """As the leader does: each batch in a transaction."""
    sealer = Sealer()
    more = True
    while more:
        with transaction.atomic():
            more = sealer(1)


def drains(stage: Stage) -> dict[str, Any]:
    """In turns, so that what else the machine does falls on both."""
    jobs = round(stage.probe() * (sizes.STEADY_SECONDS * 1.5 + 3)) + 1_000
    pairs = [(drain(stage, jobs, NEVER, walls=False), drain(stage, jobs, OFTEN)) for _ in range(sizes.AUDIT_ROUNDS)]
    without, with_both = zip(*pairs, strict=True)
    return {
        "drain_with_neither_per_second": statistics.median(without),
        "drain_with_seals_and_row_security_per_second": statistics.median(with_both),
        "with_to_without": statistics.median(ours / plain for plain, ours in pairs),
        "of_each_round": [round(ours / plain, 3) for plain, ours in pairs],
    }


def lower_walls() -> None:
    """The tables as they would be without row-level security."""
    walled = [table.name for table in tables_of(connection, role_of(connection)) if table.whole]
    if not walled:
        raise AssertionError("there is no row-level security to be measured")
    with connection.cursor() as cursor:
        for name in walled:
            cursor.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")


def drain(stage: Stage, jobs: int, every_seconds: str, *, walls: bool = True) -> float:
    stage.fresh()
    if not walls:
        lower_walls()
    stock(stage, jobs)
    counter.forget(stage.folder)
    with (
        stage.manage("runscheduler", SMARTQUEUE_AUDIT_SEAL_SECONDS=every_seconds),
        acting(stage),
        stage.worker(),
    ):
        stage.all_running(1, ENDLESS)
        rate = stage.rate_over(sizes.STEADY_SECONDS)
    seals = stage.number("SELECT count(*) FROM orgs_auditseal")
    if (seals > 1) != (every_seconds == OFTEN):
        raise AssertionError(f"{seals} seals with one every {every_seconds} s")
    return rate


@contextmanager
def acting(stage: Stage) -> Iterator[None]:
    """People at work: AUDIT_RATE acts a second, each a transaction."""
    over = threading.Event()

    def run() -> None:
        with psycopg.connect(stage.environ["DATABASE_URL"], autocommit=True) as session:
            while not over.wait(1 / sizes.AUDIT_RATE):
                session.execute(ROWS.replace("%%", "%").replace("%(rows)s", "1").encode())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
