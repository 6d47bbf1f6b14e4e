-- Queue scheduled jobs that are due, a bounded batch at a time so that no lock is held long.
WITH due AS MATERIALIZED (
    SELECT id, due_at, org_id, queue, type, predicted_ms, stretch
    FROM jobs_job
    WHERE due_at <= statement_timestamp()
    ORDER BY due_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), {{promoted}}
SELECT queue, count(*) AS jobs, min(date_part('epoch', queued_at) + share_offset + rank_offset) AS rank FROM promoted GROUP BY queue
