-- Say that a process lives: its row is made at the first beat. One that was declared dead meanwhile is back.
INSERT INTO jobs_workerprocess (
    id, kind, hostname, pid, version, slots, queues, types, status, started_at, beat_at, stopped_at,
    cpu_percent, memory_bytes, jobs_processed, labels
)
VALUES (%(id)s, %(kind)s, %(hostname)s, %(pid)s, %(version)s, %(slots)s, %(queues)s::jsonb, %(types)s::jsonb,
        %(status)s, clock_timestamp(), clock_timestamp(), NULL, %(cpu_percent)s, %(memory_bytes)s, %(jobs_processed)s,
        %(labels)s::jsonb)
ON CONFLICT (id) DO UPDATE
SET status = excluded.status, beat_at = excluded.beat_at, cpu_percent = excluded.cpu_percent,
    memory_bytes = excluded.memory_bytes, jobs_processed = excluded.jobs_processed,
    stopped_at = CASE WHEN excluded.status = 'offline' THEN clock_timestamp() END
-- what it has been asked to do, and has not said that it does
RETURNING CASE WHEN obeyed_at IS NULL THEN asked ELSE '' END AS asked
