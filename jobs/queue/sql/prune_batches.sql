-- Forget batches that ended long ago, a bounded number, once none of their jobs is left.
WITH old AS MATERIALIZED (
    SELECT id FROM jobs_batch AS batch
    WHERE finished_at < statement_timestamp() - make_interval(days => %(days)s) AND callback_due_at IS NULL
      AND NOT EXISTS (SELECT FROM jobs_job WHERE batch_id = batch.id)
    ORDER BY finished_at
    LIMIT 10000
)
DELETE FROM jobs_batch WHERE id = ANY (ARRAY(SELECT id FROM old))
