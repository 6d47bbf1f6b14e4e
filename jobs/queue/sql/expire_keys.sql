-- Free idempotency keys whose time is over, a bounded batch, oldest first.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_job
    WHERE idempotency_key IS NOT NULL
      AND id < (lpad(to_hex((extract(epoch FROM clock_timestamp() - make_interval(hours => %(hours)s)) * 1000)::bigint),
                     12, '0') || repeat('0', 20))::uuid
    ORDER BY id
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
UPDATE jobs_job AS job SET idempotency_key = NULL FROM old WHERE job.id = old.id
RETURNING job.id
