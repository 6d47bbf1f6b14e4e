-- Mark waiting jobs of a paused queue as held, or of any queue (null) of an organisation that is not active, so that
-- claims do not scan past them; a bounded batch.
WITH chosen AS MATERIALIZED (
    SELECT job_id FROM jobs_ready
    WHERE (queue = %(queue)s::text OR %(queue)s::text IS NULL) AND org_id = %(org_id)s AND NOT held
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE jobs_ready AS ready SET held = true
    WHERE ready.job_id = ANY (ARRAY(SELECT job_id FROM chosen))
    RETURNING ready.job_id
)
SELECT count(*) AS jobs FROM marked
