"""What must hold after any faults. Each is a name, and a query or a comparison that finds what breaks it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg

from jobs.states import LEGAL_MOVES, TERMINAL
from tests.chaos.load import Told

OVER = ", ".join(f"'{status}'" for status in sorted(TERMINAL))
LEGAL = ", ".join(f"('{source or ''}', '{target}')" for source, targets in LEGAL_MOVES.items() for target in targets)
# Of the columns that tell an end; a replay begins a new life.
ENDS = f"SELECT id::text, life, status, attempt, finished_at::text FROM jobs_job WHERE status IN ({OVER})"
OLD = "SELECT md5(string_agg(row::text, '|' ORDER BY id)) FROM {table} AS row WHERE id <= %s"
LEDGERS = ("jobs_transition", "orgs_auditentry")

# Each selects what must not be.
QUERIES: dict[str, str] = {
    "every-job-ends": f"SELECT id, status FROM jobs_job WHERE status NOT IN ({OVER})",
    "one-job-per-idempotency-key": """
        SELECT idempotency_key, count(*) FROM jobs_job WHERE idempotency_key IS NOT NULL
        GROUP BY org_id, idempotency_key HAVING count(*) > 1""",
    "one-place": """
        SELECT id FROM jobs_job JOIN jobs_ready ON job_id = id WHERE status <> 'queued'
        UNION SELECT ready.job_id FROM jobs_ready AS ready JOIN jobs_lease AS lease ON lease.job_id = ready.job_id
        UNION SELECT job_id FROM jobs_lease""",
    # releases raise the limit of a life, and burn nothing
    "attempts-within-max": """
        SELECT job.id, job.life, count(*), job.max_attempts
        FROM jobs_job AS job JOIN jobs_attempt AS attempt ON attempt.job_id = job.id
        WHERE attempt.outcome NOT IN ('released', 'cancelled')
        GROUP BY job.id HAVING count(*) > job.max_attempts * job.life""",
    "attempt-numbers-unique-contiguous": """
        SELECT job_id, array_agg(number ORDER BY number) FROM jobs_attempt
        GROUP BY job_id HAVING min(number) <> 1 OR max(number) <> count(*) OR count(DISTINCT number) <> count(*)
        UNION ALL
        SELECT job.id, ARRAY[attempt] FROM jobs_job AS job
        WHERE attempt <> (SELECT count(*) FROM jobs_attempt WHERE job_id = job.id)""",
    "completed-at-most-once": """
        SELECT job_id, count(*) FROM jobs_attempt WHERE outcome = 'done' GROUP BY job_id HAVING count(*) > 1
        UNION ALL
        SELECT job_id, count(*) FROM jobs_transition WHERE to_status = 'done' GROUP BY job_id HAVING count(*) > 1""",
    "done-has-one-winning-attempt": """
        SELECT id FROM jobs_job AS job WHERE status = 'done'
        AND NOT EXISTS (SELECT FROM jobs_attempt WHERE job_id = job.id AND number = job.attempt AND outcome = 'done')
        UNION ALL
        SELECT job_id FROM jobs_attempt AS attempt JOIN jobs_job AS job ON job.id = job_id
        WHERE attempt.outcome = 'done' AND status <> 'done'""",
    "no-two-live-leases": """
        SELECT one.job_id, one.number FROM jobs_attempt AS one
        JOIN jobs_attempt AS next ON next.job_id = one.job_id AND next.number = one.number + 1
        WHERE next.started_at < one.ended_at""",
    "transitions-legal": f"""
        SELECT id, from_status, to_status FROM jobs_transition
        WHERE (coalesce(from_status, ''), to_status) NOT IN (VALUES {LEGAL})""",
    "transitions-without-a-gap": """
        SELECT id, job_id FROM (
            SELECT id, job_id, from_status, lag(to_status) OVER (PARTITION BY job_id ORDER BY id) AS before
            FROM jobs_transition
        ) AS move WHERE from_status IS DISTINCT FROM before
        UNION ALL
        SELECT NULL, id FROM jobs_job AS job WHERE status <> (
            SELECT to_status FROM jobs_transition WHERE job_id = job.id ORDER BY id DESC LIMIT 1)""",
    "audit-complete": """
        SELECT id FROM jobs_job AS job
        WHERE NOT EXISTS (SELECT FROM jobs_scheduletick WHERE job_id = job.id)
        AND NOT EXISTS (SELECT FROM orgs_auditentry WHERE action = 'job.submit' AND target = job.id::text)
        UNION ALL
        SELECT job_id FROM jobs_transition AS move WHERE actor LIKE 'user:%' AND from_status IS NOT NULL
        AND NOT EXISTS (SELECT FROM orgs_auditentry WHERE target = move.job_id::text AND action <> 'job.submit')""",
    "counts-exact": """
        SELECT queue, status, sum(jobs) FROM (
            SELECT queue, status, jobs FROM jobs_statuscount
            UNION ALL SELECT queue, status, jobs FROM jobs_statusdelta
            UNION ALL SELECT queue, status, -1 FROM jobs_job
        ) AS counted GROUP BY queue, status HAVING sum(jobs) <> 0""",
    "one-leader-per-epoch": """
        SELECT one.epoch, next.epoch FROM jobs_leaderterm AS one JOIN jobs_leaderterm AS next ON next.epoch > one.epoch
        WHERE next.elected_at < one.ended_at OR one.ended_at IS NULL""",
    # every minute from the first to the last, and that one not long before the pause
    "schedule-ticks-none-missed": """
        SELECT schedule.name, minute
        FROM jobs_schedule AS schedule, generate_series(
            date_trunc('minute', created_at) + interval '1 minute', updated_at - interval '75 seconds', '1 minute'
        ) AS minute
        WHERE NOT EXISTS (
            SELECT FROM jobs_scheduletick WHERE schedule_id = schedule.id AND at = minute AND outcome = 'fired')""",
    "schedule-ticks-one-job-each": """
        SELECT actor, count(*) FROM jobs_transition WHERE actor LIKE 'schedule:%' GROUP BY actor HAVING count(*) <> (
            SELECT count(DISTINCT job_id) FROM jobs_scheduletick
            JOIN jobs_schedule ON jobs_schedule.id = schedule_id
            WHERE actor = 'schedule:' || name)
        UNION ALL
        SELECT schedule_id::text, count(*) FROM jobs_scheduletick LEFT JOIN jobs_job ON jobs_job.id = job_id
        WHERE jobs_job.id IS NULL GROUP BY 1""",
    "leader-writes-fenced": """
        SELECT epoch FROM jobs_leaderterm WHERE beat_at > ended_at
        UNION ALL
        SELECT epoch FROM jobs_scheduletick JOIN jobs_leaderterm USING (epoch) WHERE fired_at > ended_at""",
    "effects-of-done-alone": """
        SELECT effects.job_id, effects.attempt FROM effects
        LEFT JOIN jobs_attempt AS attempt ON attempt.job_id = effects.job_id AND attempt.number = effects.attempt
        WHERE attempt.outcome IS DISTINCT FROM 'done'""",
    "effect-exactly-once": """
        SELECT id, count(effects.job_id) FROM jobs_job AS job LEFT JOIN effects ON effects.job_id = job.id
        WHERE name = 'child_tasks.effect' AND status = 'done' GROUP BY id HAVING count(effects.job_id) <> 1""",
}


class Watch:
    """What is seen while the load runs, to be compared at the end."""

    def __init__(self) -> None:
        self.ends: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.sums: dict[str, list[tuple[int, str]]] = {ledger: [] for ledger in LEDGERS}

    def look(self, session: psycopg.Connection[Any]) -> None:
        for job_id, life, *rest in session.execute(ENDS + " ORDER BY id DESC LIMIT 2000"):
            self.ends.setdefault((job_id, life), tuple(rest))
        for ledger in LEDGERS:
            # what was written a while ago has been committed
            (row,) = session.execute(
                f"SELECT max(id) FROM {ledger} WHERE at < clock_timestamp() - interval '60 seconds'"
            ).fetchall()
            if row[0] is not None:
                self.sums[ledger].append((row[0], self.summed(session, ledger, row[0])))

    def summed(self, session: psycopg.Connection[Any], ledger: str, last: int) -> str:
        return str(session.execute(OLD.format(table=ledger), [last]).fetchall()[0][0])

    def broken(self, session: psycopg.Connection[Any]) -> dict[str, list[Any]]:
        now = {(job_id, life): tuple(rest) for job_id, life, *rest in session.execute(ENDS)}
        lives: dict[str, int] = {}
        for job_id, life in now:
            lives[job_id] = max(life, lives.get(job_id, 0))
        return {
            "terminal-statuses-stable": [
                (key, seen, now.get(key))
                for key, seen in self.ends.items()
                if now.get(key) != seen and lives.get(key[0], 0) <= key[1]
            ],
            "ledgers-append-only": [
                (ledger, last)
                for ledger, sums in self.sums.items()
                for last, before in sums
                if self.summed(session, ledger, last) != before
            ],
        }


def broken(session: psycopg.Connection[Any], told: Told, effects: Path, watch: Watch) -> dict[str, list[Any]]:
    """By invariant, what breaks it; those that hold are there with nothing."""
    found = {name: session.execute(query).fetchall() for name, query in QUERIES.items()}
    keys = dict(session.execute("SELECT idempotency_key, id::text FROM jobs_job WHERE idempotency_key > ''").fetchall())
    statuses = dict(session.execute("SELECT id::text, status FROM jobs_job").fetchall())
    attempts = dict(session.execute("SELECT id::text, attempt FROM jobs_job").fetchall())
    runs = [line.split() for line in effects.read_text().splitlines()] if effects.exists() else []
    ran = {run[0] for run in runs}
    found |= {
        "acked-job-never-lost": among(told.acknowledged, lambda key: keys.get(key) is None),
        "same-key-same-id": among(told.acknowledged, lambda key: set(told.acknowledged[key]) != {keys.get(key)}),
        "no-phantom-job": among(keys, lambda key: key not in told.sent),
        "refused-submit-leaves-no-job": among(told.refused, lambda key: key in keys),
        "unknown-tasks-refused": among(told.sent, lambda key: (told.sent[key] == "no.such_task") and key in keys),
        "cancelled-before-start-never-runs": [
            job_id
            for job_id in told.cancelled_before_start
            # between two attempts it may be cancelled too: it has run then
            if statuses.get(job_id) != "cancelled" or (job_id in ran and not attempts[job_id])
        ],
        "done-implies-effect": [
            key
            for key, job_id in keys.items()
            if told.sent.get(key) == "tests.mark" and statuses[job_id] == "done" and job_id not in ran
        ],
        "effects-within-attempts": [run for run in map(tuple, runs) if int(run[1]) > attempts.get(run[0], 0)],
    }
    return found | watch.broken(session)


def among(keys: Iterable[str], breaks: Callable[[str], bool]) -> list[str]:
    return [key for key in keys if breaks(key)]
