-- Queue one scheduled job at once, whenever it is due; not one that waits for others.
WITH due AS MATERIALIZED (
    SELECT id, due_at, org_id, queue, type, predicted_ms, stretch
    FROM jobs_job
    WHERE id = %(job_id)s::uuid AND org_id = %(org_id)s::bigint AND status = 'scheduled' AND waiting_on = 0
    FOR UPDATE
), {{promoted}}
SELECT queue, date_part('epoch', queued_at) + share_offset + rank_offset AS rank,
       (SELECT due_at FROM due) AS was_due_at
FROM promoted
