-- Free idempotency keys of batches whose time is over, a bounded number, oldest first.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_batch
    WHERE idempotency_key IS NOT NULL
      AND created_at < statement_timestamp() - make_interval(hours => %(hours)s)
    ORDER BY created_at
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
), freed AS (
    UPDATE jobs_batch AS batch SET idempotency_key = NULL
    WHERE batch.id = ANY (ARRAY(SELECT id FROM old))
    RETURNING batch.id
)
SELECT count(*) AS freed FROM freed
