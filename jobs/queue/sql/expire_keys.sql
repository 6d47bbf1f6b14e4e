-- Free idempotency keys whose time is over, a bounded batch, oldest first.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_job
    WHERE idempotency_key IS NOT NULL
      AND created_at < statement_timestamp() - make_interval(hours => %(hours)s)
    ORDER BY created_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), freed AS (
    UPDATE jobs_job AS job SET idempotency_key = NULL
    WHERE job.id = ANY (ARRAY(SELECT id FROM old))
    RETURNING job.id
)
SELECT count(*) AS freed FROM freed
