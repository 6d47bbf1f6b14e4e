-- Mark waiting jobs of a paused queue as held, so that claims do not scan past them; a bounded batch.
WITH chosen AS MATERIALIZED (
    SELECT job_id FROM jobs_ready
    WHERE queue = %(queue)s AND org_id = %(org_id)s AND NOT held
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs_ready AS ready SET held = true FROM chosen WHERE ready.job_id = chosen.job_id
RETURNING ready.job_id
