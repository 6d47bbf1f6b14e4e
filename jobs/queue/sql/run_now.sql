-- Queue scheduled jobs at once, whenever they are due; not those that wait for others.
WITH due AS MATERIALIZED (
    SELECT id, due_at, org_id, queue, type, predicted_ms, stretch
    FROM jobs_job
    WHERE id = ANY (%(job_ids)s::uuid[]) AND org_id = %(org_id)s::bigint AND status = 'scheduled' AND waiting_on = 0
    ORDER BY id
    FOR UPDATE
), {{promoted}}
SELECT promoted.id AS job_id, promoted.queue, due.due_at AS was_due_at,
       date_part('epoch', queued_at) + share_offset + rank_offset AS rank
FROM promoted JOIN due USING (id)
